import Box from '@mui/material/Box';
import type { ColonyEvent } from '../api/types';
import { clock, moment } from './format';
import { SEVERITY } from './parts';

/** One event in a list: what happened, when, what sort. */
export function EventLine({ event }: { event: ColonyEvent }) {
  const tone = SEVERITY[event.severity];
  return (
    <Box
      sx={{
        display: 'grid', gridTemplateColumns: '74px 1fr', columnGap: 1.5, py: 0.75, px: 2, borderLeft: 3,
        borderColor: tone === 'default' ? 'transparent' : `${tone}.main`,
      }} // prettier-ignore
    >
      <Box
        component="time"
        title={moment(event.time)}
        sx={{ color: 'text.secondary', fontSize: '0.8rem', pt: '1px' }}
      >
        {clock(event.time)}
      </Box>
      <Box sx={{ minWidth: 0, overflowWrap: 'anywhere' }}>
        {event.message}
        <Box
          component="span"
          sx={{ color: 'text.secondary', fontSize: '0.78rem', ml: 1, whiteSpace: 'nowrap' }}
        >
          {event.type}
          {event.severity === 'warning' || event.severity === 'error' ? `, ${event.severity}` : ''}
        </Box>
      </Box>
    </Box>
  );
}

// The page's own few icons: outlines of 24 by 24.

import SvgIcon, { type SvgIconProps } from '@mui/material/SvgIcon';

function outline(path: string) {
  return function Icon(props: SvgIconProps) {
    return (
      <SvgIcon {...props}>
        <path
          d={path}
          fill="none"
          stroke="currentColor"
          strokeWidth="1.8"
          strokeLinejoin="round"
          strokeLinecap="round"
        />
      </SvgIcon>
    );
  };
}

export const ColonyIcon = outline(
  'M12 3l4 2.3v4.6L12 12.200 8 9.900V5.300zM7.500 11.600l4 2.300v4.600l-4 2.300-4-2.300v-4.600zM16.500 11.600l4 2.300v4.600l-4 2.300-4-2.300v-4.600z',
);
export const NodesIcon = outline(
  'M4 5h16v5H4zM4 14h16v5H4zM7.500 7.500h.01M7.500 16.500h.01M11 7.500h6M11 16.500h6',
);
export const EventsIcon = outline('M3 12h4l2.500-6 4.500 12 2.500-6H21');
export const JobsIcon = outline('M4 4.500h16v15H4zM8 9.500l3 2.500-3 2.500M13 15h3.500');
export const SpecIcon = outline('M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6');
export const CouncilIcon = outline('M3 18h18M4 15l-1-8 5 4 4-6 4 6 5-4-1 8z');
export const AccessIcon = outline('M14.500 9.500a4 4 0 1 0-3.700 3.990L13 15.500h2v2h2v2h3v-3l-5.700-5.600');
export const BackupsIcon = outline(
  'M4 7c0-1.700 3.600-3 8-3s8 1.300 8 3-3.600 3-8 3-8-1.300-8-3zM4 7v10c0 1.700 3.600 3 8 3s8-1.300 8-3V7M4 12c0 1.700 3.600 3 8 3s8-1.300 8-3',
);
export const TrustIcon = outline(
  'M12 3l7 2.500v6c0 4.500-3 7.700-7 9.500-4-1.800-7-5-7-9.500v-6zM8.800 12l2.300 2.300 4.200-4.500',
);
export const ApiIcon = outline('M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16');
export const SunIcon = outline(
  'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400',
);
export const MoonIcon = outline('M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z');
export const MenuIcon = outline('M4 6h16M4 12h16M4 18h16');
export const CloseIcon = outline('M6 6l12 12M18 6L6 18');
export const UserIcon = outline(
  'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20c1-3.500 4-5 7.500-5s6.500 1.500 7.500 5',
);
export const SearchIcon = outline(
  'M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.500 15.500L20 20',
);
export const ColumnsIcon = outline('M4 5h16v14H4zM9.500 5v14M14.500 5v14');
export const DownloadIcon = outline('M12 4v11M7.500 11l4.500 4.500L16.500 11M5 20h14');
export const PauseIcon = outline('M8 5v14M16 5v14');
export const PlayIcon = outline('M7 4.500l12 7.500-12 7.500z');
export const UpIcon = outline('M6 15l6-6 6 6');
export const DownIcon = outline('M6 9l6 6 6-6');
export const CopyIcon = outline('M9 9h11v11H9zM15 9V4H4v11h5');

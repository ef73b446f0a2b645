// What the queen ran, runs and can run.

import { Page } from '../ui/parts';
import { TabPages } from '../ui/TabPages';
import { JobList } from './jobs/JobList';
import { Operations } from './jobs/Operations';

export default function Jobs() {
  return (
    <Page
      title="Jobs"
      lead="One run of an operation by the queen: a playbook over the colony, or something built in."
    >
      <TabPages
        label="Jobs"
        tabs={[
          { key: 'jobs', label: 'Jobs', content: () => <JobList /> },
          { key: 'operations', label: 'Operations', content: () => <Operations /> },
        ]}
      />
    </Page>
  );
}

// The pages: each is loaded when it is first wanted.

import { lazy, type ComponentType } from 'react';
import type { Role } from '../api/types';
import * as icon from '../ui/icons';

const load = {
  colony: () => import('../pages/Colony'),
  nodes: () => import('../pages/Nodes'),
  node: () => import('../pages/Node'),
  events: () => import('../pages/Events'),
  jobs: () => import('../pages/Jobs'),
  job: () => import('../pages/Job'),
  spec: () => import('../pages/Spec'),
  council: () => import('../pages/Council'),
  access: () => import('../pages/Access'),
  backups: () => import('../pages/Backups'),
  trust: () => import('../pages/Trust'),
};

export interface PageEntry {
  path: string;
  title: string;
  icon?: ComponentType<{ fontSize?: 'small' }>;
  element: ComponentType;
  needs?: Role;
}

export const PAGES: PageEntry[] = [
  { path: '/', title: 'Colony', icon: icon.ColonyIcon, element: lazy(load.colony) },
  { path: '/nodes', title: 'Nodes', icon: icon.NodesIcon, element: lazy(load.nodes) },
  { path: '/nodes/:node', title: 'Node', element: lazy(load.node) },
  { path: '/events', title: 'Events', icon: icon.EventsIcon, element: lazy(load.events) },
  { path: '/jobs', title: 'Jobs', icon: icon.JobsIcon, element: lazy(load.jobs) },
  { path: '/jobs/:job', title: 'Job', element: lazy(load.job) },
  { path: '/spec', title: 'Spec', icon: icon.SpecIcon, element: lazy(load.spec) },
  { path: '/council', title: 'Council', icon: icon.CouncilIcon, element: lazy(load.council) },
  { path: '/access', title: 'Access', icon: icon.AccessIcon, element: lazy(load.access) },
  { path: '/backups', title: 'Backups', icon: icon.BackupsIcon, element: lazy(load.backups) },
  { path: '/trust', title: 'Trust', icon: icon.TrustIcon, element: lazy(load.trust) },
];

/** Fetch all pages while there is a gateway to fetch them from: the one this page came from may be the next to fall. */
export async function loadAll(): Promise<void> {
  for (const one of Object.values(load)) await one().catch(() => undefined);
}

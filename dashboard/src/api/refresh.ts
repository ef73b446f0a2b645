// What has to be read again when something happened.

import type { ColonyEvent } from './types';

export type Tag =
  | 'Cluster' | 'Nodes' | 'Config' | 'Spec' | 'Council' | 'Election' | 'Backups' | 'Rotation' | 'Users' | 'Sessions' | 'Tokens' | 'Denied' | 'Jobs' | 'Operations' | 'Accounts' | 'Webhooks'; // prettier-ignore

/** By the noun of an event's type; what is not named here concerns the cluster alone. */
const TAGS: Record<string, Tag[]> = {
  backup: ['Backups'],
  caste: ['Cluster', 'Nodes'],
  colony: ['Cluster', 'Nodes', 'Spec', 'Council', 'Backups'],
  config: ['Config'],
  council: ['Council', 'Cluster', 'Nodes', 'Election'],
  etcd: ['Council', 'Cluster'],
  job: ['Jobs'],
  node: ['Cluster'],
  operations: ['Operations'],
  queen: ['Cluster', 'Nodes', 'Council', 'Election'],
  rotation: ['Rotation'],
  'service-account': ['Accounts'],
  'service-token': ['Accounts'],
  session: ['Sessions'],
  spec: ['Spec', 'Cluster', 'Nodes'],
  token: ['Tokens'],
  user: ['Users', 'Sessions', 'Accounts'],
  webhook: ['Webhooks'],
};
/** So many nodes are read one by one; more are cheaper as a whole. */
export const ONE_BY_ONE = 20;

export interface Refresh {
  tags: Set<Tag>;
  /** Ids of nodes to read again, where that is all that happened to the list. */
  nodes: Set<string>;
}

export function refreshOf(events: ColonyEvent[]): Refresh {
  const tags = new Set<Tag>();
  const nodes = new Set<string>();
  for (const event of events) {
    const [noun = '', verb = ''] = event.type.split('.');
    for (const tag of TAGS[noun] ?? ['Cluster']) tags.add(tag);
    if (noun === 'config') nodes.add(event.subject);
    if (noun !== 'node') continue;
    if (verb === 'joined' || verb === 'removed' || verb === 'unreadable') tags.add('Nodes');
    else nodes.add(event.subject);
    if (verb === 'removed') tags.add('Denied');
    if (verb === 'renewed') tags.add('Rotation');
  }
  if (nodes.size > ONE_BY_ONE) tags.add('Nodes');
  if (tags.has('Nodes')) nodes.clear();
  return { tags, nodes };
}

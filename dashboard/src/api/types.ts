import type { components } from './schema';

type Schemas = components['schemas'];

export type AuditLine = Schemas['AuditLine'];
/** Lines of the audit log, the oldest first, all from ``first`` on as far as was asked. */
export type Audit = Pick<Schemas['AuditDocument'], 'lines' | 'first' | 'head' | 'keys'>;
export type Backups = Schemas['BackupsDocument'];
export type Channel = Schemas['ChannelState'];
export type Cluster = Schemas['ClusterDocument'];
export type CommandAnswer = Schemas['CommandAnswer'];
export type Config = Schemas['Config'];
export type ConfigDocument = Schemas['ConfigDocument'];
export type Council = Schemas['CouncilMembersDocument'];
export type DeniedKeys = Schemas['DeniedKeysDocument'];
export type DeadLetter = Schemas['DeadLetterDocument'];
export type Delivery = Schemas['DeliveryResult'];
export type Diff = Schemas['DiffDocument'];
export type Difference = Schemas['Difference'];
export type DryRun = Schemas['DryRunDocument'];
export type Election = Schemas['Explanation'];
export type Events = Schemas['EventsDocument'];
export type HandOver = Schemas['HandOver'];
export type Job = Omit<Schemas['JobDocument'], 'parameters'> & { parameters: Record<string, unknown> };
export type JobLog = Schemas['LogDocument'];
export type JobState = Schemas['JobState'];
export type JoinTokens = Schemas['JoinTokensDocument'];
export type LoginWay = Schemas['LoginWay'];
export type LoginWays = Schemas['LoginWays'];
export type NewJoinToken = Schemas['NewJoinToken'];
export type Node = Schemas['NodeView'];
export type NodeChange = Schemas['NodeChange'];
export type Nodes = Schemas['NodesDocument'];
export type Operation = Omit<Schemas['OperationDocument'], 'parameters' | 'role'> & {
  parameters: Schema;
  role: Schemas['Role'];
};
export type Operations = Omit<Schemas['OperationsDocument'], 'operations'> & { operations: Operation[] };
export type Role = Schemas['Role'];
export type Rotation = Schemas['RotationDocument'];
export type ServiceAccount = Schemas['ServiceAccountDocument'];
export type ServiceToken = Schemas['ServiceTokenDocument'];
export type Sessions = Schemas['SessionsDocument'];
export type Severity = Schemas['Severity'];
export type Spec = Schemas['Spec'];
export type SpecChange = Schemas['SpecChange'];
export type SpecDocument = Schemas['SpecDocument'];
export type Status = Schemas['Status'];
export type Tokens = Schemas['Tokens'];
export type Users = Schemas['UsersDocument'];
export type WebhookTest = Schemas['WebhookTestDocument'];
/** A filter says only what it narrows. */
export type Filter = Partial<Schemas['EventFilter']>;
export type Webhook = Omit<Schemas['WebhookDocument'], 'filter'> & { filter: Filter };
export type Version = Schemas['VersionDocument'];
export type Versions = Schemas['VersionsDocument'];

/** An event; its payload is JSON of the writer's own. */
export type ColonyEvent = Omit<Schemas['EventDocument'], 'payload'> & { payload: Record<string, unknown> };

/** A job as lists have it. */
export type JobLine = Pick<
  Job,
  | 'id' | 'operation' | 'state' | 'message' | 'actor' | 'node' | 'attempt' | 'created_at' | 'started_at' | 'ended_at' | 'retry_of' | 'play' | 'task'
>; // prettier-ignore

/** What is wanted of a webhook. */
export interface WebhookWish {
  url: string;
  filter: Filter;
  description: string;
  ca: string;
  retry_s: number;
  pause_after_s: number;
}

/** What every node tells everybody at /v1/council. */
export interface Ways {
  colony: string;
  term: number;
  queen: string | null;
  members: string[];
}

/** Why something was not done: the gateway's problem document, or what this page has to say in its place. */
export interface Problem {
  /** 0: no gateway answered. */
  status: number;
  code: string;
  detail: string;
  hint?: string;
  field?: string;
}

export function isProblem(value: unknown): value is Problem {
  return (
    typeof value === 'object' && value !== null && 'status' in value && 'code' in value && 'detail' in value
  );
}

/** As much of the gateway's description as is read here. */
export interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  default?: unknown;
  title?: string;
  description?: string;
  writeOnly?: boolean;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
}

export interface OpenApi {
  components: { schemas: Record<string, Schema> };
}

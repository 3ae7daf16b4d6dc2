import { z } from 'zod';
import { accessSchema } from './access.js';
import {
  addSiteAnswerSchema,
  addSiteSchema,
  applyBodySchema,
  deadLetterSchema,
  doctorSchema,
  keptPlanSchema,
  planAppliedSchema,
  upgradeSchema,
  whatIfBodySchema,
} from './api.js';
import {
  logLineSchema,
  logPageSchema,
  logRequestSchema,
  planSchema,
  siteViewSchema,
  whySchema,
} from './api.js';
import { workloadViewSchema } from './api.js';
import { commandSchema, outcomeSchema } from './command.js';
import {
  assignmentSchema,
  desiredSchema,
  nodeRulesSchema,
  retirementSchema,
  tombstoneSchema,
} from './desired.js';
import { problemSchema } from './errors.js';
import { eventSchema } from './event.js';
import { decisionBatchSchema, historyBlobSchema } from './history.js';
import * as access from './dataset-access.js';
import * as logs from './dataset-log.js';
import * as logAccess from './dataset-log-access.js';
import * as objects from './dataset-objects.js';
import { manifestSchema } from './object-rules.js';
import * as records from './dataset-records.js';
import { datasetHomeSchema } from './dataset-home.js';
import { copyAuditSchema, datasetProofSchema } from './copy-audit.js';
import { copySetSchema } from './copy-set.js';
import { dataKeySchema } from './dataset-sealing.js';
import { datasetDocumentSchema, datasetSchema } from './dataset.js';
import { heldDatasetProposalSchema } from './held-dataset.js';
import { heldProposalSchema } from './held-proposal.js';
import { joinAnswerSchema, joinRequestSchema, renewRequestSchema } from './identity.js';
import { apiTokenSchema, joinTicketSchema, siteIdentitySchema } from './identity.js';
import { journalBatchSchema, journalEntrySchema, siteReportSchema } from './journal.js';
import {
  digestAnswerSchema,
  digestRequestSchema,
  heartbeatSchema,
  observedSchema,
  pingAnswerSchema,
  replicaSchema,
} from './observed.js';
import { placementSchema } from './placement.js';
import { quotaLimitsSchema, quotaListAnswerSchema, quotaListRequestSchema, quotaSchema } from './policy.js';
import * as rpc from './rpc.js';
import * as local from './site-operations.js';
import { nodeSchema, siteDescriptionSchema, siteSchema, siteStateSchema } from './site.js';
import { announcedSchema, statusSchema } from './status.js';
import { versionSchema } from './version.js';
import { workloadDocumentSchema, workloadSchema } from './workload.js';

/** Every body that crosses a process, by the name under which its JSON Schema is published. */
export const CATALOG = {
  Access: accessSchema,
  AddSite: addSiteSchema,
  AddSiteAnswer: addSiteAnswerSchema,
  AdmitAnswer: rpc.admitAnswerSchema,
  AdmitRequest: rpc.admitRequestSchema,
  Announced: announcedSchema,
  ApiToken: apiTokenSchema,
  ApplyBody: applyBodySchema,
  Assignment: assignmentSchema,
  BehindAnswer: access.behindAnswerSchema,
  BehindRequest: access.behindRequestSchema,
  CentreLogRequest: logAccess.centreLogRequestSchema,
  ChunkAnswer: objects.chunkAnswerSchema,
  ChunkAsk: objects.chunkAskSchema,
  ChunkAskAnswer: objects.chunkAskAnswerSchema,
  ChunkGet: objects.chunkGetSchema,
  ChunkPut: objects.chunkPutSchema,
  ChunksWanted: objects.chunksWantedSchema,
  Command: commandSchema,
  CopiesRequest: records.copiesRequestSchema,
  CopyAudit: copyAuditSchema,
  CopyNews: records.copyNewsSchema,
  CopySet: copySetSchema,
  CutOffAnswer: rpc.cutOffAnswerSchema,
  CutOffRequest: rpc.cutOffRequestSchema,
  DataKey: dataKeySchema,
  Dataset: datasetSchema,
  DatasetDocument: datasetDocumentSchema,
  DatasetHome: datasetHomeSchema,
  DatasetLag: access.datasetLagSchema,
  DatasetProof: datasetProofSchema,
  DatasetWhere: access.datasetWhereSchema,
  DeadLetter: deadLetterSchema,
  DecisionBatch: decisionBatchSchema,
  Delivery: records.deliverySchema,
  Desired: desiredSchema,
  DigestAnswer: digestAnswerSchema,
  DigestRequest: digestRequestSchema,
  Doctor: doctorSchema,
  EntriesAnswer: logs.entriesAnswerSchema,
  EntriesRequest: logs.entriesRequestSchema,
  EntryDelivery: logs.entryDeliverySchema,
  EntryPage: logs.entryPageSchema,
  EntryPull: logs.entryPullSchema,
  Event: eventSchema,
  Heartbeat: heartbeatSchema,
  HeldDatasetProposal: heldDatasetProposalSchema,
  HeldProposal: heldProposalSchema,
  HistoryBlob: historyBlobSchema,
  HubHealth: rpc.hubHealthSchema,
  HubHealthRequest: rpc.hubHealthRequestSchema,
  IntakeAnswer: rpc.intakeAnswerSchema,
  JoinAnswer: joinAnswerSchema,
  JoinRequest: joinRequestSchema,
  JoinTicket: joinTicketSchema,
  JoinTicketAnswer: rpc.joinTicketAnswerSchema,
  JoinTicketRequest: rpc.joinTicketRequestSchema,
  JournalBatch: journalBatchSchema,
  JournalEntry: journalEntrySchema,
  KeptPlan: keptPlanSchema,
  LogAnswer: logAccess.logAnswerSchema,
  LogLine: logLineSchema,
  LogNews: logs.logNewsSchema,
  LogOperation: logAccess.logOperationSchema,
  LogPage: logPageSchema,
  LogRequest: logRequestSchema,
  LogsRequest: logs.logsRequestSchema,
  Manifest: manifestSchema,
  MoveRequest: rpc.moveRequestSchema,
  Node: nodeSchema,
  NodeRules: nodeRulesSchema,
  ObjectWhere: objects.objectWhereSchema,
  Observed: observedSchema,
  OperatorRequest: local.operatorRequestSchema,
  Outcome: outcomeSchema,
  Override: local.overrideSchema,
  PingAnswer: pingAnswerSchema,
  Placement: placementSchema,
  Plan: planSchema,
  PlanApplied: planAppliedSchema,
  PlanRequest: rpc.planRequestSchema,
  Problem: problemSchema,
  Proposal: local.proposalSchema,
  ProposalAnswer: local.proposalAnswerSchema,
  ProposalRequest: local.proposalRequestSchema,
  PullAnswer: records.pullAnswerSchema,
  PullRequest: records.pullRequestSchema,
  Quota: quotaSchema,
  QuotaLimits: quotaLimitsSchema,
  QuotaListAnswer: quotaListAnswerSchema,
  QuotaListRequest: quotaListRequestSchema,
  RecordsAnswer: records.recordsAnswerSchema,
  RecordsRequest: records.recordsRequestSchema,
  RedeliverAnswer: rpc.redeliverAnswerSchema,
  RedeliverRequest: rpc.redeliverRequestSchema,
  RenewRequest: renewRequestSchema,
  Replica: replicaSchema,
  RetiredAnswer: rpc.retiredAnswerSchema,
  RetiredRequest: rpc.retiredRequestSchema,
  Retirement: retirementSchema,
  Site: siteSchema,
  SiteDatasetAnswer: access.siteDatasetAnswerSchema,
  SiteDatasetRequest: access.siteDatasetRequestSchema,
  SiteChangeAnswer: local.siteChangeAnswerSchema,
  SiteDescription: siteDescriptionSchema,
  SiteIdentity: siteIdentitySchema,
  SiteLogAnswer: logAccess.siteLogAnswerSchema,
  SiteLogRequest: logAccess.siteLogRequestSchema,
  SiteObjectAnswer: objects.siteObjectAnswerSchema,
  SiteObjectRequest: objects.siteObjectRequestSchema,
  SiteReport: siteReportSchema,
  SiteState: siteStateSchema,
  SiteStatusPage: local.siteStatusPageSchema,
  SiteView: siteViewSchema,
  Status: statusSchema,
  StoredEntries: logs.storedEntriesSchema,
  StoredRecord: records.storedRecordSchema,
  StatusListAnswer: rpc.statusListAnswerSchema,
  StatusListRequest: rpc.statusListRequestSchema,
  Tombstone: tombstoneSchema,
  Upgrade: upgradeSchema,
  Version: versionSchema,
  WhatIfBody: whatIfBodySchema,
  Why: whySchema,
  WhyRequest: rpc.whyRequestSchema,
  Workload: workloadSchema,
  WorkloadDocument: workloadDocumentSchema,
  WorkloadRef: rpc.workloadRefSchema,
  WorkloadView: workloadViewSchema,
} as const satisfies Record<string, z.ZodType>;
export type CatalogName = keyof typeof CATALOG;

/**
 * The JSON Schema (2020-12) of a body as a sender writes it: fields with a default may be left out. Rules that JSON Schema
 * cannot say (one of two fields, names used once) are checked by the schema in code alone.
 */
export function jsonSchemaOf(name: CatalogName): Record<string, unknown> {
  const schema = z.toJSONSchema(CATALOG[name], { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return { ...schema, title: name };
}

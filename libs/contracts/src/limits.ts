/**
 * Every limit that a person or another program can meet, by name, with its unit last.
 * Errors quote these names, so that what was refused can be found here.
 */
export const LIMITS = {
  /** Characters of a project, workload, site or node name (a DNS label, RFC 1123). */
  nameChars: 63,
  /** Bytes of one HTTP body or one file of documents. */
  documentBytes: 768 * 1024,
  /** Documents in one command; a folder is one command, all or nothing. */
  documentsPerCommand: 256,
  /** Nesting of a document. */
  documentDepth: 32,
  /** YAML aliases expanded in one document; more is taken for a "billion laughs". */
  documentAliases: 50,
  /** Replicas of one workload. */
  replicasPerWorkload: 10_000,
  /** Replicas of one workload at one site. */
  replicasPerAssignment: 2_000,
  /** Shortest `onSiteLoss.replaceAfterMs`: 2 s until a site is suspect, 1 s to see whether others are silent too. */
  replaceAfterMinMs: 3_000,
  /** Shortest `onSiteLoss.orphan.stopAfterMs`: the hub is asked every 5 s, and again when an answer was lost. */
  orphanStopAfterMinMs: 10_000,
  /**
   * Days from when a change was made at a site that was cut off, until it becomes a command on its return: an older one is
   * refused, taken back there and named in the site's report. Outcomes are kept for less, see `refuseDecided` of the domain.
   */
  proposalDays: 7,
  argvItems: 256,
  argvItemChars: 4_096,
  envEntries: 256,
  envValueChars: 8_192,
  filesPerWorkload: 64,
  fileBytes: 64 * 1024,
  portsPerWorkload: 16,
  labels: 64,
  labelChars: 253,
  /** Taints of a site, and tolerations of a workload. */
  taints: 64,
  gpusPerNode: 64,
  /** Links that a site describes. */
  linksPerSite: 256,
  /** A user location takes about 100 bytes of a workload, which has to fit a message. */
  usersPerWorkload: 2_048,
  /** Tables of `skerry advise`: bytes and lines of each, sites to choose from, user locations, and sites to open. */
  adviseFileBytes: 32 * 1024 * 1024,
  adviseRttLines: 1_000_000,
  adviseSites: 2_000,
  adviseUsers: 10_000,
  adviseMaxSites: 64,
  /** Bytes of one message on the bus: nats-server's own default. */
  messageBytes: 1024 * 1024,
  /** Characters and tokens of one subject. */
  subjectChars: 512,
  subjectTokens: 16,
  /** Classes of free shapes in a site's capacity digest. */
  shapesPerDigest: 64,
  /** Rejected sites kept with a decision; the rest is recomputed from its inputs. */
  rejectedSitesPerDecision: 32,
  /** Bytes of one page of the read model: well below a message. */
  statusPageBytes: 512 * 1024,
  /** Projects in one page of quotas. */
  quotasPerPage: 1_000,
  /** Troubles that a heartbeat tells of, and characters of each. */
  troubles: 8,
  troubleChars: 200,
  /** Items of one page of a digest exchange. */
  digestItemsPerPage: 2_000,
  /** Nodes of one site, each a machine with an agent. */
  nodesPerSite: 256,
  /** Epochs of one singleton; times a million (moves within a site) it still is a whole number everywhere. */
  singletonEpoch: 9_000_000_000,
  sitesPerHub: 2_000,
  /** Tokens and quotas in what a site knows of who may act there without the hub. */
  accessTokens: 500,
  accessQuotas: 1_000,
  /** Documents of one apply at a site's own server. */
  documentsPerSiteApply: 64,
  /** Bytes of who may act at a site and of quotas there: what a site with the most of both is told. */
  accessBytes: 128 * 1024,
  /** Local changes of a site that wait for the hub, and bytes of them and of what they put in place of what the hub wants. */
  openSiteChanges: 1_000,
  siteChangesBytes: 8 * 1024 * 1024,
  /** Ids of a site's earlier changes that go with one to the hub, the newest. */
  earlierSiteChanges: 200,
  /** Characters of what an entry of a site's journal says; absences and changes in one report. */
  journalTextChars: 300,
  absencesPerReport: 50,
  changesPerReport: 500,
  entriesPerJournalBatch: 200,
  /** Bytes of one batch of a journal: with the number of batches kept of each site this bounds what one site takes at the hub. */
  journalBatchBytes: 32 * 1024,
  countsPerJournalEntry: 32,
  /** Bytes of one report, and reports of sites that one instance of the api makes at once. */
  siteReportBytes: 512 * 1024,
  siteReportsAtOnce: 4,
  /** Entries that a report at the hub is made of, newest. */
  entriesPerReport: 20_000,
  keysPerBucket: 100_000,
  /** What `copies.min` and `copies.max` may say. */
  chosenCopies: 64,
  /** Refusals that a node tells the hub of at once; of more the oldest are forgotten. */
  refusalsPerGreeting: 32,
  /** Datasets that a workload says it uses. */
  datasetsPerWorkload: 16,
  /** Of a dataset: keys and bytes of one copy, characters of a key, bytes of a value. */
  datasetKeys: 1_000_000,
  datasetBytes: 256 * 1024 * 1024,
  datasetKeyChars: 200,
  datasetValueBytes: 64 * 1024,
  /** Least bytes of a log; values of one append; items of one page; sensors that one site tells apart in one log. */
  logMinBytes: 64 * 1024,
  valuesPerAppend: 256,
  logItemsPerPage: 1_000,
  sensorsPerLog: 1_000,
  /** Copies of one site. */
  copiesPerSite: 1_000,
  /** Records in one message, and bytes of them. */
  recordsPerMessage: 256,
  recordsBytes: 512 * 1024,
  /** Other sites that a copy's records may be given to directly, and what of them is: records, and bytes of the message. */
  givenSites: 16,
  givenRecords: 4,
  givenBytes: 6 * 1024,
  /** Bytes of all that is known of one key. */
  stateBytes: 128 * 1024,
  /** Of encrypted datasets: characters of what is sealed, keys of one, nodes that have a key. */
  sealedChars: 768 * 1024,
  dataKeysPerDataset: 64,
  holdersPerDataKey: 1_500,
  /** Nodes that keys are wrapped for in one message, and keys that one names. */
  wrapsPerMessage: 64,
  offersPerMessage: 64,
  /** Keys in one page of a list; elements of a set that one write adds or removes; stores that write one key. */
  datasetKeysPerPage: 1_000,
  elementsPerWrite: 256,
  storesPerKey: 1_000,
  /** Of objects: bytes of one and of all of a dataset, of a chunk, and of a piece that people send or read. */
  objectBytes: 2 * 1024 ** 3,
  objectsBytes: 1024 ** 4,
  chunkBytes: 256 * 1024,
  objectPieceBytes: 512 * 1024,
  /** Chunks of one object, lists of them, and chunks that one message names. */
  chunksPerObject: 32_768,
  listsPerObject: 8,
  chunksPerMessage: 1_000,
  contentTypeChars: 200,
  /** Objects that replicas of one node read or write at once. */
  objectTransfers: 32,
  /** Rules of bandwidth in a dataset, and what they may say. */
  bandwidthRules: 32,
  bandwidthMinBytesPerSecond: 1_024,
  bandwidthMaxBytesPerSecond: 100_000_000_000,
  /** Longest wait of a watch for a change. */
  watchWaitMs: 8_000,
  /**
   * Of one replica over subjects: connections (of more the oldest is ended), questions without an answer yet, watches, subscriptions of a
   * connection, and how long a message of a watch waits for its answer.
   */
  appConnections: 64,
  appRequests: 256,
  appWatches: 32,
  appSubscriptions: 256,
  appUnansweredMs: 30_000,
  /** Bytes of changes in one message of a watch. */
  appChangesBytes: 512 * 1024,
} as const;

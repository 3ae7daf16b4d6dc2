/** Seeds that have found something, and what that was. Each has to pass for ever, whatever its course is by now. */
export const FOUND: readonly { seed: number; found: string }[] = [
  { seed: 3, found: 'an older report of a site overwrote a newer one at the hub' },
  { seed: 11, found: 'a lease with next to nothing left went round in circles' },
  { seed: 17, found: 'an agent that started ran a singleton that had been handed over while it was away' },
  { seed: 43, found: 'an agent that was stopped for a while ran a singleton on beside its new owner' },
  { seed: 45, found: 'a site that returned gave up the only healthy copy before it had said how that fares' },
  { seed: 47, found: 'nobody controlled a site any more whose server had lost its last second' },
  { seed: 82, found: 'a site that had become smaller gave up the only healthy copy of what still ran' },
  { seed: 165, found: 'a removal that was acknowledged, and told again, lay in DL for ever' },
  { seed: 196, found: 'a hub that had lost its last second waited for ever for the end of what had ended' },
  {
    seed: 247,
    found: 'a node that began to control a site did not count what it learned later that others run',
  },
  {
    seed: 272,
    found: 'a site that had a copy from before copies were chosen was not told that it is to have none',
  },
  {
    seed: 296,
    found:
      'a folder that was committed while it was read was answered with those of its changes that were seen',
  },
  { seed: 333, found: 'what one node of a site had heard was not said again to the others' },
  { seed: 424, found: 'a copy went by a rule that the hub had lost' },
  { seed: 597, found: 'a removal that was late on its way lay in DL for ever' },
  {
    seed: 743,
    found: 'an agent that was stopped just before it began a singleton began it with its lease gone',
  },
  { seed: 863, found: 'what a hub had left of a folder after a loss was taken for a folder written in part' },
  {
    seed: 897,
    found:
      'the last healthy copy was given up at a site that was back, silent again and held by the brake, when its time was over',
  },
  {
    seed: 1094,
    found: 'a replicator that became active again went by what another one had taken out of DL since',
  },
  { seed: 1297, found: 'a removal that a full disk had not taken at its node was never tried again' },
  {
    seed: 1572,
    found: 'what the hub had acknowledged and lost was not sent again, and what followed it was taken',
  },
  {
    seed: 1577,
    found:
      'a singleton that ran before its site had a second node was given to that when the first fell silent',
  },
  {
    seed: 1793,
    found:
      'a singleton that was removed while its agent stood still, just before it began, began when that went on',
  },
  {
    seed: 2091,
    found: 'a site of several nodes did not say again that what it was told again to remove was gone',
  },
  {
    seed: 2377,
    found: 'a simulated process that had stood still waited for ever for what it asked just then',
  },
  {
    seed: 3241,
    found: 'a new controller of a site gave away the room of what it was told of only after it had begun',
  },
  {
    seed: 3745,
    found: 'what nodes had reported to a server that lost its last second was not reported again',
  },
  { seed: 3802, found: 'what had run at a site before it was lost counted as what replaces the last copy' },
  { seed: 4030, found: 'inventory ended when the hub did not answer while it looked for old reports' },
  { seed: 4119, found: 'a scheduler that had stood still decided before it had heard what it missed' },
  { seed: 4601, found: 'what a full disk had not taken never came again' },
  {
    seed: 4757,
    found: 'who began to control a site reported by what its server had left, older than what ran',
  },
  {
    seed: 5698,
    found: 'the last copy was given up at a site that was back, and smaller, before it had said how it fares',
  },
  { seed: 30029, found: 'a copy too many stayed where another had not said that it was whole by then' },
  {
    seed: 30067,
    found:
      'a copy that was taken from a site and given again numbered its writes anew, and the hub passed them over',
  },
  {
    seed: 30079,
    found: 'a site forgot a copy that was wanted elsewhere, with writes that the hub had not got',
  },
  { seed: 8677, found: 'a replicator that lost its lease while it read DL never worked again' },
  { seed: 30088, found: 'one lost word left the copy of a removed dataset at a site for minutes' },
  { seed: 30102, found: 'what was written twice in one batch was sent to the hub for ever' },
  {
    seed: 30241,
    found: 'a drain gave up the last healthy copy at a site that was back and had not said yet how it fares',
  },
  {
    seed: 30251,
    found: 'a copy that was away while the hub lost its newest passed over what came to the same places',
  },
  {
    seed: 40019,
    found:
      'what a home had set aside for people was gone with its copy when that was not wanted there any more',
  },
  {
    seed: 50000,
    found: 'a log began another file that said what a power failure then took of the one before it',
  },
  {
    seed: 60302,
    found: 'a copy did not show again what it had forgotten as run out before values were to live longer',
  },
  {
    seed: 50382,
    found: 'a log that was to go stayed where a power failure had taken the word that the hub has all of it',
  },
  {
    seed: 70000,
    found: 'an agent that was killed when it had just got a key lacked for ever what that opens',
  },
  {
    seed: 70035,
    found: 'keys of a copy that had gone stayed on the disk of a site that lost power just then',
  },
  {
    seed: 50189,
    found:
      'the only site with the keys of a dataset gave its copy up to one that had passed over what it could not open',
  },
  {
    seed: 50214,
    found: 'a site whose link was away when a replicator took over was asked about its logs minutes later',
  },
  {
    seed: 60322,
    found: 'a site that had not heard of a new rule gave records to sites that it keeps them from',
  },
  {
    seed: 660,
    found: 'what ran at a site whose server had lost who was given it was not counted on its node',
  },
];

/** Whether what takes long is left out, since `.ci/long` runs it. On a developer’s machine it runs. */
export const isShortRun = process.env.CI === 'true' && process.env.SALLYPORT_LONG !== 'true'

/** For `{ skip }`. */
export const skipInShortRun = isShortRun && 'it runs in .ci/long'

/**
 * Files that CI leaves to `.ci/long` as a whole: doubles against AWS's own models and against moto, which change when AWS does; what other files prove
 * with less; what is proved once more on real processes.
 */
export const longFiles: readonly string[] = [
  'test/conformance/pushed.test.ts',
  'test/e2e/aws-moto.test.ts',
  'test/e2e/broken-set-ups.test.ts',
  'test/e2e/cluster-watch.test.ts',
  'test/e2e/crash-recording.test.ts',
  'test/e2e/crash-two-daemons.test.ts',
  'test/e2e/inventory-killed.test.ts',
  'test/e2e/onboard.test.ts',
  'test/e2e/page-promises.test.ts',
  'test/e2e/places.test.ts',
  'test/e2e/pushed-killed.test.ts',
  'test/e2e/session-tags.test.ts',
  'test/e2e/store-copy.test.ts',
  'test/e2e/store-cut-off.test.ts',
  'test/e2e/store-damage.test.ts',
  'test/e2e/two-daemons-aws.test.ts',
  'test/e2e/two-daemons-events.test.ts',
  'test/e2e/two-daemons-limits.test.ts',
  'test/e2e/two-daemons-sign-in.test.ts',
  'test/e2e/validate-ending.test.ts',
  'test/families/c-outside-copy.test.ts',
  'test/families/c-restored-store.test.ts',
  'test/families/c-rows-deleted.test.ts',
  'test/families/e-identity-provider-switches.test.ts',
  'test/families/f-fuzz-lists.test.ts',
  'test/families/h-restore-several.test.ts',
  'test/fuzz/listeners.test.ts',
  'test/fuzz/planted-faults.test.ts',
  'test/page/promises.test.ts',
  'test/page/shots.test.ts',
  'test/sandbox-tests/wire-models.test.ts',
  'test/sandbox-tests/wire-places.test.ts',
  'test/src/access/two-daemons.test.ts',
  'test/src/audit/feed-damage.test.ts',
  'test/src/audit/feed-killed.test.ts',
  'test/src/aws/estate/contract-moto.test.ts',
  'test/src/aws/events/contract-moto.test.ts',
  'test/src/aws/identity-center/contract-moto.test.ts',
  'test/src/aws/identity-center/large-identity-center.test.ts',
  'test/src/aws/organization/contract-moto.test.ts',
  'test/src/aws/organization/large-organization.test.ts',
  'test/src/aws/refused-anywhere.test.ts',
  'test/src/kinds/identity-center/reconciled-moto.test.ts',
]

/** Whether what takes long is left out, since `.ci/long` runs it. On a developer’s machine it runs. */
export const isShortRun = process.env.CI === 'true' && process.env.SALLYPORT_LONG !== 'true'

/** For `{ skip }`. */
export const skipInShortRun = isShortRun && 'it runs in .ci/long'

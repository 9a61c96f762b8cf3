/** The same once more, with requests that read past Node's parser. */
process.env.SALLYPORT_TEST_READS = 'early'
await import('./passing.test.ts')

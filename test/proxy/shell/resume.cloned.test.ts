/** The same suite with a doorman of another process. */
process.env.SALLYPORT_TEST_DOORMAN = 'cloned'
await import('./resume.test.ts')

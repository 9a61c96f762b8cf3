/** The same suite with a doorman of another process. */
import { isShortRun } from '../../long.ts'

process.env.SALLYPORT_TEST_DOORMAN = 'cloned'
if (!isShortRun) await import('./ledger.test.ts')

/**
 * `npm run demo`: a company, a small AWS and the daemon on this machine; prints what to type. Ctrl-C ends all of it.
 * `npm run demo -- --tour`: performs the journey and exits 0 only if every step did what it says
 * (`--allow-missing`: also when a step was skipped for want of a client).
 */
import { parseArgs } from 'node:util'
import { Demo, people } from './demo-house.ts'
import { hasMariaDb } from './mysql/mariadb.ts'
import { runTour, standsIn } from './tour.ts'

const { values: flags } = parseArgs({
  options: { tour: { type: 'boolean', default: false }, 'allow-missing': { type: 'boolean', default: false } },
})

const startedAt = Date.now()
const demo = await Demo.start()
process.stdout.write(
  `Sallyport: ${demo.url}\nThe sandbox and the daemon are up after ${((Date.now() - startedAt) / 1000).toFixed(1)} s.\n`,
)
if (flags.tour) process.exitCode = await tour()
else await show()

async function tour(): Promise<number> {
  try {
    const { missing } = await runTour(demo)
    process.stdout.write(
      missing.length === 0 ? '\nEvery step did what it says.\n' : `\nNot shown: ${missing.join('; ')}\n`,
    )
    return missing.length === 0 || flags['allow-missing'] ? 0 : 1
  } catch (error) {
    process.stdout.write(
      `\nThe tour failed: ${(error as Error).message}\n\nThe daemon's log:\n${demo.daemon.log().slice(-8000)}\n`,
    )
    return 1
  } finally {
    await demo.close()
  }
}

async function show(): Promise<void> {
  const standIn = hasMariaDb() ? '' : `\n${standsIn}\n`
  const accounts = Object.entries(people).map(([name, what]) => `  ${name.padEnd(6)} ${what}`)
  process.stdout.write(`
In a browser, at that address:
  as alice, ask for orders in the catalog; as bob, in a private window, decide; then connect by what the page shows

Accounts of the sandbox (password: sandbox), each with a launcher of sallyport under .demo:
${accounts.join('\n')}

In another terminal, in this folder:
  ./.demo/alice login
  ./.demo/alice ls
  ./.demo/alice psql orders -- -c 'select 1'          # denied, with the reason
  ./.demo/alice request orders --level readonly --for 1h --reason 'why is order 17 late'
  ./.demo/bob login
  ./.demo/bob requests
  ./.demo/bob approve REQUEST
  ./.demo/alice psql orders                           # or: connect orders --port 6432, and any client
  ./.demo/bob revoke GRANT                            # cuts the open psql
  ./.demo/alice request shop --level readonly --for 1h --reason 'which lamps sell'
  ./.demo/bob approve REQUEST
  ./.demo/alice mysql shop                            # the same on MySQL
  ./.demo/alice request i-0a1b2c3d4e5f60718 --level readonly --for 1h --reason 'the shop is slow'
  ./.demo/bob approve REQUEST
  ./.demo/alice shell i-0a1b2c3d4e5f60718             # a shell on an EC2 instance
  ./.demo/carol recordings watch SESSION              # which alice is told
  ./.demo/alice request i-0a1b2c3d4e5f60718 --level copy --for 1h --reason 'its log'
  ./.demo/bob approve REQUEST
  ./.demo/alice cp i-0a1b2c3d4e5f60718:/etc/hostname . # a file, on record with its SHA-256
  ./.demo/bob request billing --level readonly --for 1h
  ./.demo/bob psql billing                            # a database that only an instance reaches
  ./.demo/alice request web --level readonly --for 1h --reason 'web-1 restarts'
  ./.demo/bob approve REQUEST
  ./.demo/alice kube web --namespace shop             # kubectl at the broker, which needs TLS before it: see the tour
  ./.demo/alice request ReportsReader --level readonly --for 1h --reason 'monthly report'
  ./.demo/bob approve REQUEST
  ./.demo/alice aws ReportsReader exec -- aws s3 ls
  ./.demo/carol login
  ./.demo/carol audit tail
  ./.demo/carol recordings ls
  ./.demo/carol audit verify
${standIn}
Metrics: ${demo.daemon.metricsUrl}/metrics. Ctrl-C ends everything.
`)
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
  process.stdout.write('\nStopping …\n')
  await demo.close()
}

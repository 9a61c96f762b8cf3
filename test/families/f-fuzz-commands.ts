/** Runs many commands in one process, for the fuzzers: `[["requests", "--json"], …]` on stdin, what each did as JSON on stdout. */
import { text } from 'node:stream/consumers'
import { runCli } from '../../src/cli/cli.ts'
import { registers } from '../../src/cli/registers.ts'

const ran: { code: number; stdout: string; stderr: string }[] = []
const write = process.stdout.write.bind(process.stdout)
for (const args of JSON.parse(await text(process.stdin)) as string[][]) {
  const shown = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    process[name].write = (chunk: string | Uint8Array) => {
      shown[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
      return true
    }
  process.exitCode = 0
  ran.push({ code: await runCli(args, registers), ...shown })
}
process.exitCode = 0
write(JSON.stringify(ran))

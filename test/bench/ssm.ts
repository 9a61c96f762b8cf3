/** Session Manager: tunnels on the sandbox's link, whose agents are as fast as the real ones. */
import type { BenchOptions, Row } from './rows.ts'
import { measureLink } from './ssm/link.ts'

export async function run(options: BenchOptions): Promise<Row[]> {
  return (await measureLink(options)).map((row) => ({ bench: 'ssm', ...row }))
}

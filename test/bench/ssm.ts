/** Session Manager: tunnels on the sandbox's link, and shells through the daemon beside shells without it. */
import type { BenchOptions, Row } from './rows.ts'
import { measureLink } from './ssm/link.ts'
import { measureMemory } from './ssm/memory.ts'
import { measureShells } from './ssm/shells.ts'

export async function run(options: BenchOptions): Promise<Row[]> {
  const rows = [...(await measureLink(options)), ...(await measureShells(options)), ...(await measureMemory(options))]
  return rows.map((row) => ({ bench: 'ssm', ...row }))
}

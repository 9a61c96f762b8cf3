import { setTimeout as wait } from 'node:timers/promises'
import type { InventoryScope } from '../../contract/resources.ts'
import type { Register } from '../cli.ts'
import { exitCodes, printJson, printLine, printTable, when } from '../output.ts'

export const registerSync: Register = (program) => {
  program
    .command('sync')
    .description('read AWS into the catalog now, and show how that stands')
    .option('--watch', 'wait until it is done, and fail if it did')
    .option('--json', 'print JSON')
    .action(async (options: { watch?: boolean; json?: boolean }) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      let { scopes } = await api.call('POST /api/v1/inventory/sync')
      while (options.watch && scopes.some(({ requestedAt }) => requestedAt !== null)) {
        showProgress(scopes)
        await wait(1000)
        scopes = (await api.call('GET /api/v1/inventory/scopes')).scopes
      }
      if (options.json) printJson({ scopes })
      else print(scopes)
      if (options.watch && scopes.some(({ state }) => state === 'failed')) process.exitCode = exitCodes.failed
    })
}

/** One line that is drawn again; only where a person looks. */
function showProgress(scopes: readonly InventoryScope[]): void {
  if (!process.stderr.isTTY) return
  const parts = scopes.map(({ scope, state, progress }) =>
    progress
      ? `${scope}: ${progress.phase} ${progress.done}${progress.total ? ` of ${progress.total}` : ''}`
      : `${scope}: ${state}`,
  )
  process.stderr.write(`\r\u001b[K${parts.join('; ')}`)
}

function print(scopes: readonly InventoryScope[]): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  printTable(
    ['SCOPE', 'STATE', 'LAST GOOD PASS', 'RESOURCES', 'MISSING'],
    scopes.map((one) => [
      one.organization ?? one.scope,
      one.state,
      one.goodAt === null ? '-' : when(one.goodAt),
      String(one.resources),
      String(one.missing),
    ]),
    'nothing is read of AWS into the catalog',
  )
  for (const { error, fix } of scopes) if (error !== null) printLine(`${error}${fix === null ? '' : `; ${fix}`}`)
}

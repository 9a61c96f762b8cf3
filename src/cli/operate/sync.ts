import { setTimeout as wait } from 'node:timers/promises'
import type { InventoryScope } from '../../contract/inventory.ts'
import type { Register } from '../cli.ts'
import { exitCodes, printJson, printLine, printTable, when } from '../output.ts'

export const registerSync: Register = (program) => {
  program
    .command('sync')
    .description('read AWS into the catalog now, and show how that stands')
    .option('--account <id>', 'only this account')
    .option('--watch', 'wait until it is done, and fail if it did')
    .option('--json', 'print JSON')
    .action(async (options: { account?: string; watch?: boolean; json?: boolean }) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      let { scopes } = await api.call('POST /api/v1/inventory/sync', {
        query: options.account === undefined ? {} : { account: options.account },
      })
      while (options.watch && scopes.some(isAwaited)) {
        showProgress(scopes)
        await wait(1000)
        scopes = (await api.call('GET /api/v1/inventory/scopes')).scopes
      }
      if (options.json) printJson({ scopes })
      else print(scopes)
      if (options.watch && scopes.some(({ state }) => state === 'failed')) process.exitCode = exitCodes.failed
    })
}

/** Asked for, or never read yet. The queue of events is not read in passes. */
function isAwaited({ scope, state, requestedAt }: InventoryScope): boolean {
  return requestedAt !== null || (state === 'waiting' && scope !== 'events')
}

/** One line that is drawn again; only where a person looks. */
function showProgress(scopes: readonly InventoryScope[]): void {
  if (!process.stderr.isTTY) return
  const width = process.stderr.columns || 80
  process.stderr.write(
    `\r\u001b[K${scopes
      .map(progressOf)
      .join('; ')
      .slice(0, width - 1)}`,
  )
}

function progressOf({ scope, state, progress, units }: InventoryScope): string {
  if (units && units.done < units.of) return `${scope}: ${units.done} of ${units.of}`
  if (!progress) return `${scope}: ${state}`
  return `${scope}: ${progress.phase} ${progress.done}${progress.total ? ` of ${progress.total}` : ''}`
}

function print(scopes: readonly InventoryScope[]): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  printTable(
    ['SCOPE', 'STATE', 'LAST GOOD PASS', 'UNITS', 'RESOURCES', 'MISSING'],
    scopes.map((one) => [
      one.organization ?? one.scope,
      one.state,
      one.goodAt === null ? '-' : when(one.goodAt),
      one.units ? unitsOf(one.units) : '-',
      String(one.resources),
      String(one.missing),
    ]),
    'nothing is read of AWS into the catalog',
  )
  for (const { scope, error, fix } of scopes) {
    if (error === null) continue
    printLine(`${scope}: ${error}`)
    if (fix !== null) printLine(`  ${fix}`)
  }
}

/** `17 of 17, 12 quiet` */
function unitsOf({
  of,
  done,
  quiet,
  notOnboarded,
  disabled,
  denied,
  failed,
}: NonNullable<InventoryScope['units']>): string {
  const besides = { quiet, 'not onboarded': notOnboarded, 'region off': disabled, denied, failed }
  const shown = Object.entries(besides).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []))
  return [`${done} of ${of}`, ...shown].join(', ')
}

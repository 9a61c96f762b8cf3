import type { Config, LoadedConfig } from '../../config/config.ts'
import type { Register } from '../cli.ts'
import { exitCodes, printJson } from '../output.ts'

/** The one family of commands, beside `serve`, that reads the daemon's own files: all but `plan` work where no daemon runs, as in CI. */
export const registerConfig: Register = (program) => {
  const config = program.command('config').description("check and describe the daemon's configuration file")
  config
    .command('check <file>')
    .description('print every problem in a file with its line and a fix; exit code 1 if there are any')
    .option('--json', 'print JSON')
    .action(async (file: string, options: { json?: boolean }) => {
      const loaded = await load(file)
      if (options.json) printJson(publicParts(loaded))
      else process.stdout.write(await report(file, loaded))
      if (!loaded.ok) process.exitCode = exitCodes.failed
    })
  config
    .command('plan')
    .description(
      "show what a reload of the daemon's file would change and end, without doing it; exit code 1 if it has problems",
    )
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const { printPlan } = await import('./config-plan.ts')
      const plan = await (await openApiClient(program.opts())).call('GET /api/v1/config/plan')
      if (options.json) printJson(plan)
      else printPlan(plan)
      if (!plan.ok) process.exitCode = exitCodes.failed
    })
  config
    .command('schema')
    .description('print the JSON Schema of the file, for editors')
    .action(async () => {
      const { kinds } = await import('../../kinds/registry.ts')
      const { renderJsonSchema } = await import('../../config/reference.ts')
      process.stdout.write(renderJsonSchema(kinds))
    })
  config
    .command('reference')
    .description('print every key with its type, default, example and meaning, as Markdown')
    .action(async () => {
      const { kinds } = await import('../../kinds/registry.ts')
      const { renderReference } = await import('../../config/reference.ts')
      process.stdout.write(renderReference(kinds))
    })
}

/** As the daemon would load it, rules and levels included. */
async function load(file: string): Promise<LoadedConfig> {
  const { loadConfig } = await import('../../config/load.ts')
  const { rulesCheck } = await import('../../access/rules/load-rules.ts')
  const { kinds } = await import('../../kinds/registry.ts')
  return await loadConfig(file, { env: process.env, kinds, checks: [rulesCheck(kinds)] })
}

/** The configuration itself holds what references gave, so it is never printed. */
function publicParts(loaded: LoadedConfig) {
  return loaded.ok
    ? { ok: true, problems: [], warnings: loaded.warnings }
    : { ok: false, problems: loaded.problems, warnings: [] }
}

async function report(file: string, loaded: LoadedConfig): Promise<string> {
  const { formatProblems } = await import('../../config/problems.ts')
  if (!loaded.ok) return `${formatProblems(file, loaded.problems)}${count(loaded.problems.length, 'problem')}\n`
  const warnings = loaded.warnings.length > 0 ? `${formatProblems(file, loaded.warnings)}\n` : ''
  return `${warnings}ok: ${summary(loaded.config)}; ${count(loaded.warnings.length, 'warning')}\n`
}

function summary({ server, resources, levels, access, listeners }: Config): string {
  const ports = count(Object.values(listeners).flat().length, 'listener')
  const rules = [count(resources.length, 'resource'), count(levels.length, 'level set'), count(access.length, 'rule')]
  return [server.publicUrl, ports, ...rules].join(', ')
}

function count(many: number, what: string): string {
  return `${many === 0 ? 'no' : many} ${what}${many === 1 ? '' : 's'}`
}

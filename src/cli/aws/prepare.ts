import { printable } from '../../../proxy/printable.ts'
import type { Preparation } from '../../contract/aws.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printJson } from '../output.ts'

/** Both are comments of a shell and of SQL. */
const comments = { sh: '#', sql: '--' } as const

/** `sallyport aws prepare`: text to read and paste; nothing is run. */
export async function prepare(
  server: { server?: string },
  resource: string,
  options: { readonly json?: boolean; readonly login?: string },
): Promise<number> {
  const api = await openApiClient(server)
  const preparation = await api.call('GET /api/v1/aws/preparation', { query: { resource, login: options.login } })
  if (options.json) printJson(preparation)
  else process.stdout.write(toText(preparation))
  return exitCodes.done
}

function toText({ resource, steps }: Preparation): string {
  const blocks = steps.map(({ what, levels, language, text }, i) => {
    const comment = comments[language]
    const whom = levels.length === 0 ? '' : ` (level ${levels.join(', ')})`
    return [`${comment} ${i + 1}. ${printable(what)}${printable(whom)}`, ...text.split('\n').map(printable)].join('\n')
  })
  return `# ${printable(resource)}\n\n${blocks.join('\n\n')}\n`
}

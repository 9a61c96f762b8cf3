import type { Register } from '../cli.ts'
import { printable, printJson } from '../output.ts'

interface Why {
  principal: { name: string; groups: string[] }
  resource: string
  levels: {
    level: string
    allowed: boolean
    reason: string
    rules: { name: string; matches: boolean; conditions: { condition: string; ok: boolean; text: string }[] }[]
  }[]
}

export const registerPolicy: Register = (program) => {
  program
    .command('policy')
    .description('the rules: why somebody may or may not')
    .command('why <principal> <resource>')
    .description('print the reasoning by the rules in force; `me` is you, others need the role admin or auditor')
    .option('--level <level>', 'only this level')
    .option('--json', 'print JSON')
    .action(async (principal: string, resource: string, options: { level?: string; json?: boolean }) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      const query = new URLSearchParams({
        resource,
        ...(principal === 'me' ? {} : { principal }),
        ...(options.level === undefined ? {} : { level: options.level }),
      })
      const why = await api.get<Why>(`/api/v1/policy/why?${query}`)
      if (options.json) printJson(why)
      else process.stdout.write(format(why))
    })
}

function format({ principal, resource, levels }: Why): string {
  const lines = [`${principal.name} (groups: ${principal.groups.join(', ') || 'none'}) on ${resource}`]
  for (const { level, allowed, reason, rules } of levels) {
    lines.push('', `${level}: ${allowed ? 'may ask' : 'may not ask'} — ${reason}`)
    for (const rule of rules) {
      lines.push(`  ${rule.matches ? '✓' : '✗'} rule ${rule.name}`)
      for (const { condition, ok, text } of rule.conditions) lines.push(`      ${ok ? '✓' : '✗'} ${condition}: ${text}`)
    }
  }
  return `${lines.map(printable).join('\n')}\n`
}

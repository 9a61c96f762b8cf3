import { printable } from '../../../proxy/printable.ts'
import type { WhyAnswer } from '../../contract/policy.ts'
import type { Register } from '../cli.ts'
import { printJson } from '../output.ts'

export const registerPolicy: Register = (program) => {
  program
    .command('policy')
    .description('explain the access rules')
    .command('why <principal> <resource>')
    .description(
      'explain what the current rules allow; use `me` for yourself, other principals need the role admin or auditor',
    )
    .option('--level <level>', 'only this level')
    .option('--json', 'print JSON')
    .action(async (principal: string, resource: string, options: { level?: string; json?: boolean }) => {
      const { openApiClient } = await import('../login/login-store.ts')
      const api = await openApiClient(program.opts())
      const query = { resource, principal: principal === 'me' ? undefined : principal, level: options.level }
      const why = await api.call('GET /api/v1/policy/why', { query })
      if (options.json) printJson(why)
      else process.stdout.write(format(why))
    })
}

function format({ principal, resource, levels }: WhyAnswer): string {
  const lines = [`${principal.name} (groups: ${principal.groups.join(', ') || 'none'}) on ${resource}`]
  for (const { level, allowed, reason, rules } of levels) {
    lines.push('', `${level}: ${allowed ? 'may request' : 'may not request'} — ${reason}`)
    for (const rule of rules) {
      lines.push(`  ${rule.matches ? '✓' : '✗'} rule ${rule.name}`)
      for (const { condition, ok, text } of rule.conditions) lines.push(`      ${ok ? '✓' : '✗'} ${condition}: ${text}`)
    }
  }
  return `${lines.map(printable).join('\n')}\n`
}

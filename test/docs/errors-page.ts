import { sqlStates } from '../../proxy/postgres/errors.ts'
import { type ErrorCode, errors } from '../../proxy/session.ts'
import { exitCodeOf } from '../../src/cli/output.ts'
import { advice } from './error-advice.ts'
import { table } from './markdown.ts'

const introduction = `# Errors

Every error a person can see, the same everywhere: problem+json over HTTP (\`code\`), a FATAL \`ErrorResponse\` in PostgreSQL
(the code is in its DETAIL), an exit code of the command line. Codes are never reused. The cause of an error is only in
the daemon's log, under the same session id.
`

export function renderErrors(): string {
  const rows = (Object.keys(errors) as ErrorCode[]).map((code) => [
    `\`${code}\``,
    String(errors[code].status),
    sqlStates[code],
    String(exitCodeOf(code)),
    errors[code].text,
    advice[code],
  ])
  return `${introduction}\n${table(['Code', 'HTTP', 'SQLSTATE', 'Exit', 'Message', 'What to do'], rows)}`
}

import fp from 'fastify-plugin'
import { BrokerError } from '../../../proxy/session.ts'

/**
 * Texts of a request as the store, digests and the log can hold them: a lone surrogate has no UTF-8 form and becomes U+FFFD,
 * NUL is refused. Runs before validation, so that every route sees one and the same text.
 */
export const wellFormedText = fp(async (app) => {
  app.addHook('preValidation', async (request) => {
    if (request.is404) return
    request.params = toWellFormed('params', request.params)
    request.query = toWellFormed('querystring', request.query)
    request.body = toWellFormed('body', request.body)
  })
})

interface Place {
  readonly holder: Record<string, unknown>
  readonly path: string
}

const longestPath = 200

/**
 * Changes the texts in place. Without recursion, since clients choose how deep a body is.
 * @throws BrokerError INVALID_INPUT, with the place
 */
export function toWellFormed(part: string, whole: unknown): unknown {
  const root: Record<string, unknown> = { [part]: whole }
  const open: Place[] = [{ holder: root, path: '' }]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const key of Object.keys(at.holder)) {
      const path = at.path === '' ? key : `${at.path}/${key}`
      if (!key.isWellFormed() || key.includes('\0')) throw refused(at.path, 'has a name that is not valid text')
      const value = at.holder[key]
      if (typeof value === 'string') {
        if (value.includes('\0')) throw refused(path, 'must not contain NUL')
        if (!value.isWellFormed()) at.holder[key] = value.toWellFormed()
      } else if (value !== null && typeof value === 'object' && !Buffer.isBuffer(value))
        open.push({ holder: value as Record<string, unknown>, path })
    }
  }
  return root[part]
}

function refused(path: string, what: string): BrokerError {
  return new BrokerError('INVALID_INPUT', `${path.slice(0, longestPath)} ${what}`)
}

import type { FastifyError } from 'fastify'
import fp from 'fastify-plugin'
import { BrokerError, errors } from '../../../proxy/session.ts'
import { Problem } from '../../contract/schema.ts'

/** Errors as problem+json (RFC 9457), with our code. Unexpected errors are logged, and shown without detail. */
export const problems = fp(async (app) => {
  app.addSchema({ $id: 'Problem', ...Problem })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = toBrokerError(error)
    if (known.code === 'INTERNAL') request.log.error({ err: error, route: request.routeOptions.url }, 'request failed')
    return reply.code(errors[known.code].status).type('application/problem+json').send(problem(known, request.id))
  })
  app.setNotFoundHandler(async () => {
    throw new BrokerError('NOT_FOUND')
  })
})

/** What an error means to a client; unexpected ones are INTERNAL. */
export function toBrokerError(error: FastifyError): BrokerError {
  if (error instanceof BrokerError) return error
  if (error.validation) return new BrokerError('INVALID_INPUT', describe(error))
  if (error.statusCode === 429) return new BrokerError('RATE_LIMITED')
  if (error.statusCode && error.statusCode >= 400 && error.statusCode < 500)
    return new BrokerError('INVALID_INPUT', error.message)
  return new BrokerError('INTERNAL', undefined, { cause: error })
}

/** Ajv names neither the property that is not allowed nor the values that are, and shows a pattern where a person looks for an id. */
function describe({ message, validation, validationContext }: FastifyError): string {
  if (!validation || validationContext === undefined) return message
  const extra = validation.flatMap(({ params }) => params.additionalProperty ?? [])
  const text = validation.map((found) => `${validationContext}${found.instancePath} ${inWords(found)}`).join(', ')
  return extra.length === 0 ? text : `${text}: ${extra.join(', ')}`
}

function inWords({ keyword, params, message }: NonNullable<FastifyError['validation']>[number]): string | undefined {
  const prefix = keyword === 'pattern' && /^\^([a-z]+_)\[0-9a-z\]\{26\}\$$/.exec(String(params.pattern))?.[1]
  if (prefix) return `must be an id that begins with ${prefix}`
  if (keyword === 'enum' && Array.isArray(params.allowedValues))
    return `must be one of ${params.allowedValues.join(', ')}`
  return message
}

function problem(error: BrokerError, id: string): Problem {
  const { status, text } = errors[error.code]
  return {
    type: 'about:blank',
    title: text,
    status,
    detail: error.message,
    code: error.code,
    ...(error.hint ? { hint: error.hint } : {}),
    instance: id,
  }
}

import { Type } from 'typebox'
import { count, object, type Shape, text } from './schema.ts'

/** RFC 9457, with a code of docs/errors.md. */
export const Problem = object(
  {
    type: text(),
    title: text('What the code means'),
    status: count(),
    detail: text('What happened'),
    code: text('One of docs/errors.md'),
    hint: Type.Optional(text('What to do')),
    instance: text('Id of the HTTP request, as in the log'),
  },
  'The call failed',
)
export type Problem = Shape<typeof Problem>

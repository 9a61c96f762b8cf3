import { object, type Shape, text } from './schema.ts'

/** A principal by name, where people read it. */
export const Named = object({ id: text(), name: text() })
export type Named = Shape<typeof Named>

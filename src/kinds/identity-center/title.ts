import { Type } from 'typebox'

/** For people; several may have the same. */
export const title = Type.Optional(
  Type.String({
    maxLength: 1024,
    description: 'Name for people; left out: as Identity Center has it',
    examples: ['Engineers'],
    errorMessage: 'expected a name of at most 1,024 characters',
  }),
)

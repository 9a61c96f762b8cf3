import { Type } from 'typebox'
import { Duration, strict } from './members.ts'

export const Inventory = Type.Object(
  {
    organization: Type.Optional(
      Type.Boolean({
        description:
          'Accounts and organizational units of the AWS organization are read into the catalog, with their tags; `aws policies --feature organization` prints what that needs',
        examples: [true],
        default: false,
      }),
    ),
    every: Type.Optional(
      Duration('How often it is read; `sallyport sync` reads it at once', '15m', { least: '1m', most: '24h' }),
    ),
  },
  { ...strict, description: 'What the catalog takes from AWS by itself' },
)

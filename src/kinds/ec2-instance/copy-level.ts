import { Type } from 'typebox'
import type { CopyDirection } from '../../../proxy/wire/copy/messages.ts'
import { digestOf } from '../../audit/digest.ts'

const directions = ['up', 'down'] as const satisfies readonly CopyDirection[]

/** The member of levels. */
export const copyMembers = {
  copy: Type.Optional(
    Type.Array(Type.Union(directions.map((direction) => Type.Literal(direction))), {
      uniqueItems: true,
      errorMessage: 'expected a list of up and down',
      description:
        'Whether `sallyport cp` copies files to the instance (up) and from it (down), as os_user; each is on record with its path, size and SHA-256. By default neither. Needs the session document Sallyport-Copy-USER',
      default: [],
      examples: [['down']],
    }),
  ),
}

/** Of the session document by which files of a user are copied; one for each key of KMS that encrypts its sessions. */
export function copyDocumentName({
  osUser,
  kmsKey,
}: {
  readonly osUser: string
  readonly kmsKey: string | null
}): string {
  return `Sallyport-Copy-${osUser}${kmsKey === null ? '' : `-${digestOf(kmsKey).slice(0, 8)}`}`
}

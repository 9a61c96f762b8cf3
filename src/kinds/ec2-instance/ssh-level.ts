import { Type } from 'typebox'

/** What SSH may do on a level. */
export type SshMode = 'none' | 'restricted' | 'full'

const modes = ['none', 'restricted', 'full'] as const

/** The member of levels. */
export const sshMembers = {
  ssh: Type.Optional(
    Type.Union(
      modes.map((mode) => Type.Literal(mode)),
      {
        errorMessage: 'expected none, restricted or full',
        description:
          'SSH to the instance as os_user, for ssh, scp, sftp and rsync, with a key that is put in for each session and removed. restricted: its server forwards neither ports nor agents; full: it forwards. What passes is encrypted from end to end, so that it is not on record. Needs the session document Sallyport-Ssh-USER',
        default: 'none',
        examples: ['restricted'],
      },
    ),
  ),
}

/** Of the session document by which keys of a user are put in. */
export function sshDocumentName(osUser: string): string {
  return `Sallyport-Ssh-${osUser}`
}

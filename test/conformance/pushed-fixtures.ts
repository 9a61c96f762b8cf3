import type { LevelFile } from '../../src/config/schema.ts'
import type { IdentityCenter } from '../sandbox/aws/world.ts'
import { accounts } from '../sandbox/default-world.ts'
import { outsideActor } from '../sandbox/identity-center-outsiders.ts'
import { groups, permissionSets, users } from '../sandbox/identity-center-world.ts'

/** What the promises of {@link file://./pushed.test.ts} need of a kind whose grants AWS itself holds. */
export interface PushedFixture {
  /** Full id of a resource that alice does not have. */
  readonly resource: string
  /** Its only level. */
  readonly level: string
  readonly levels: Omit<LevelFile, 'for'>
  /** Whether alice has it in AWS. */
  isThere(center: IdentityCenter): boolean
  /** Someone else gives it to her, or takes it. */
  actOutside(center: IdentityCenter, to: 'present' | 'absent'): void
  /** Calls that change it. */
  readonly actions: { readonly present: string; readonly absent: string }
}

const assignment = [accounts.data, permissionSets.admin, users.alice] as const

/** By the name of the kind. */
export const pushedFixtures: Readonly<Record<string, PushedFixture>> = {
  'permission-set': {
    resource: `permission-set/${accounts.data}/Admin`,
    level: 'assigned',
    levels: { assigned: { assigned: true } },
    isThere: (center) => outsideActor(center).isAssigned(...assignment),
    actOutside: (center, to) => {
      const actor = outsideActor(center)
      if (to === 'present') actor.assign(...assignment)
      else actor.unassign(...assignment)
    },
    actions: { present: 'CreateAccountAssignment', absent: 'DeleteAccountAssignment' },
  },
  'identity-center-group': {
    resource: `identity-center-group/${groups.admins}`,
    level: 'member',
    levels: { member: { member: true } },
    isThere: (center) =>
      center.groups.some(
        ({ id, members }) => id === groups.admins && members.some((one) => one.userId === users.alice),
      ),
    actOutside: (center, to) => {
      const actor = outsideActor(center)
      if (to === 'present') actor.join(groups.admins, users.alice)
      else actor.leave(groups.admins, users.alice)
    },
    actions: { present: 'CreateGroupMembership', absent: 'DeleteGroupMembership' },
  },
}

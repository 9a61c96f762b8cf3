import type { Test } from 'tap'
import type { Directory } from '../../../../src/aws/identity-center/users.ts'
import type { IdentityCenterWrites } from '../../../../src/aws/identity-center/writes.ts'
import { waitUntil } from '../../../wait-until.ts'
import { signal } from '../hub-setup.ts'

export interface WritesWorld {
  readonly writes: IdentityCenterWrites
  readonly directory: Directory
  readonly account: string
  readonly permissionSetArn: string
  /** Without a membership or an assignment; its user name and e-mail address are no other person's. */
  readonly user: { readonly id: string; readonly userName: string; readonly email: string }
  readonly group: string
  readonly unknownId: string
  /** What is missing in emulators. */
  readonly lacks?: readonly 'GetGroupMembershipId'[]
}

/** What holds against any AWS. */
export async function writesContract(t: Test, world: WritesWorld): Promise<void> {
  const { writes, directory, account, permissionSetArn, user, group, unknownId, lacks = [] } = world
  const key = { account, permissionSetArn, userId: user.id }
  const ended = async (ticket: Awaited<ReturnType<IdentityCenterWrites['createAssignment']>>) => {
    await waitUntil(async () => (await writes.assignmentState(ticket, signal)).state === 'succeeded')
  }

  await t.test('an assignment is made, made again, and removed', async (t) => {
    t.equal(await writes.hasAssignment(key, signal), false)
    const made = await writes.createAssignment(key, signal)
    t.equal(made.change, 'create')
    await ended(made)
    t.equal(await writes.hasAssignment(key, signal), true)
    t.equal(await writes.hasAssignment({ ...key, userId: unknownId }, signal), false)
    const removed = await writes.deleteAssignment(key, signal)
    t.equal(removed.change, 'delete')
    await ended(removed)
    t.equal(await writes.hasAssignment(key, signal), false)
    t.same(await writes.assignmentState({ change: 'create', requestId: nowhere }, signal), { state: 'unknown' })
    t.equal(writes.room('delete'), 8)
  })

  await t.test('a person comes into a group and leaves it', async (t) => {
    const knows = !lacks.includes('GetGroupMembershipId')
    if (knows) t.equal(await writes.membershipId(group, user.id, signal), null)
    const id = await writes.createMembership(group, user.id, signal)
    if (knows) t.equal(await writes.membershipId(group, user.id, signal), id)
    await writes.deleteMembership(id, signal)
    await writes.deleteMembership(id, signal)
    if (knows) t.equal(await writes.membershipId(group, user.id, signal), null)
  })

  await t.test('people are found by user name and e-mail address', async (t) => {
    const ids = async (by: Parameters<Directory['findUsers']>[0]) =>
      (await directory.findUsers(by, signal)).map(({ id }) => id)
    t.same(await ids({ userName: user.userName }), [user.id])
    t.same(await ids({ email: user.email.toUpperCase() }), [user.id])
    t.same(await ids({ userName: 'nobody-of-this-name' }), [])
    t.same(await ids({ email: 'nobody@example.org' }), [])
    t.match(await directory.user(user.id, signal), { userName: user.userName, emails: [user.email] })
    t.equal(await directory.user(unknownId, signal), null)
  })
}

const nowhere = '00000000-0000-4000-8000-000000000000'

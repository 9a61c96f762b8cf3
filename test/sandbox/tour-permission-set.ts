import type { Ran } from './commands.ts'
import { setId } from './demo-estate.ts'
import type { Demo } from './demo-house.ts'
import type { AccountName } from './oidc/accounts.ts'
import type { RunOptions, Transcript } from './transcript.ts'

interface Steps {
  readonly demo: Demo
  readonly print: Transcript
  as(person: AccountName, command: string, options?: RunOptions): Promise<Ran>
}

/** AWS takes some seconds, in which the tour shows something else. */
export async function askForPermissionSet({ print, as }: Steps): Promise<void> {
  print.heading('A permission set of Identity Center: AWS holds it, and the broker writes it there')
  const shows = [/being written to Identity Center/, /sessions may go on until/]
  await as('alice', `request ${setId} --level assigned --for 1h --reason "incident 46"`, { shows })
}

export async function showPermissionSet({ demo, print, as }: Steps): Promise<void> {
  print.heading('The permission set is there by now, and its holder uses it in the portal of AWS')
  await demo.waitForPermissionSet(true)
  print.check(true, 'Identity Center has the assignment')
  await as('carol', 'identity-center ls', { shows: [/alice +granted +created/] })
  const shows = [/awsapps\.com\/start\/#\/console\?account_id=/]
  await as('alice', `aws ${setId} console --print`, { shows })
  const listed = await as('alice', `grants --resource ${setId} --json`, { lines: 0 })
  const [grant] = (JSON.parse(listed.stdout) as { items: { id: string }[] }).items
  await as('dave', `revoke ${grant?.id} --reason "incident is over"`)
}

export async function showPermissionSetGone({ demo, print, as }: Steps): Promise<void> {
  print.heading('The permission set that was revoked is gone from AWS')
  await demo.waitForPermissionSet(false)
  print.check(true, 'Identity Center has no assignment of hers any more')
  await as('carol', 'audit search --type push.removed', { shows: [/push\.removed/] })
}

import { permissionsIn } from '../../src/aws/permissions/permission.ts'
import { policiesOf } from '../../src/aws/policies/table.ts'
import { kinds } from '../../src/kinds/registry.ts'
import { table } from './markdown.ts'

const introduction = `# What the broker asks of AWS

Every action that the policies of \`sallyport aws policies\` allow, with its reason and the feature that needs it; \`sallyport aws validate\` says which of them are
allowed where. High: without it sessions fail, cannot be ended, or could do more than they should; medium: something is not seen; low: a check cannot be made.
Nothing here was tried on real AWS: the tests run against doubles that evaluate policies.
`

/** Written by hand: what is read when. */
const rest = (groups: number) => `
## How often

| what | how often | calls |
| --- | --- | --- |
| accounts, units and Identity Center | every \`inventory.every\`, and by \`sallyport sync\` | by the hub; at most 4 a second of Organizations, 10 of Identity Center |
| credentials of hub and spoke | before they expire, once an hour for each account in use | 1 \`sts:AssumeRole\` each |
| a session of a role, a database, an instance or a cluster | when a person opens it | 1 \`sts:AssumeRole\`, and what its kind needs |
| the deny list of an account | when credentials are ended before their time | 5 at most, of IAM |
| validations of the hub, the rules and each account | once a day, spread over an hour; after a reload that changes what is read; when asked for | for each account up to ${groups} simulations, 3 tries of the spoke role, 1 of each role, and one cheap call for each action that has one, in each of \`aws.regions\` |
| sign-ins of \`sallyport aws validate RESOURCE\` | when asked for, never by themselves | a recorded session each |

## At which cost

Calls count against the limits of the account, which its other users share: readers are paced by service and account, and validations make one call at a time. Requests to IAM, STS,
Organizations, Identity Center and the \`Describe\` and \`List\` actions above have no price of their own; keys of KMS, queues, objects and data that CloudTrail delivers to a bucket do, by AWS's
price lists. Whatever the broker calls is in CloudTrail, as the hub or spoke role.

## What a delegated administrator cannot do

It reads accounts, units and Identity Center as the management account does. AWS tells the events of the organization to the management account alone, so that they must be
forwarded from there; assignments to the management account, and permission sets that are provisioned there, are its own; assignments are read account by account; stack sets never
reach the management account. \`sallyport aws validate hub\` says which of the two the hub is in. A broker serves one organization: give another one a broker of its own.
`

export function renderAws(): string {
  const { base, own } = policiesOf(kinds)
  const sections = Object.entries({ ...base, ...own }).map(([, { title, where, statements, feature }]) => {
    const rows = statements.flatMap((statement) =>
      permissionsIn({ statements: [statement] }, {}, (text) => text).map(({ action, reason, severity }) => [
        `\`${action}\``,
        statement.feature ?? feature ?? 'always',
        severity,
        reason,
      ]),
    )
    const distinct = [...new Map(rows.map((row) => [row.join(), row])).values()]
    return `## ${title.charAt(0).toUpperCase()}${title.slice(1)}\n\nIn: ${where}.\n\n${table(['Action', 'Feature', 'If it is missing', 'Why'], distinct)}`
  })
  return `${introduction}\n${sections.join('\n')}${rest(groupsOf(base.spokePermissions.statements))}`
}

/** What is simulated together has one resource and the same conditions. */
function groupsOf(
  statements: readonly { readonly resources?: readonly string[]; readonly conditions?: object }[],
): number {
  return new Set(statements.map(({ resources = ['*'], conditions }) => JSON.stringify([resources[0], conditions]))).size
}

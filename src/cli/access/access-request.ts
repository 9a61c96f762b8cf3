import type { GrantView } from '../../contract/grants.ts'
import type { Outcome, RequestView } from '../../contract/requests.ts'
import type { ApiClient } from '../api/api-client.ts'
import { formatRemaining } from '../duration.ts'
import { printLine, shownName, when } from '../output.ts'

export async function getRequest(api: ApiClient, id: string): Promise<RequestView> {
  return (await api.call('GET /api/v1/requests/:id', { params: { id } })).request
}

/** `2 of 2: manager` */
export function describeStage(request: RequestView): string {
  const stage = request.stage === null ? undefined : request.stages[request.stage]
  if (!stage || request.stage === null) return '-'
  const missing = stage.count > 1 ? ` (${stage.approvals} of ${stage.count})` : ''
  return `${request.stage + 1} of ${request.stages.length}: ${stage.anyOf.join(' or ')}${missing}`
}

/** Everything that an approver agrees to, for people. */
export function printRequest(request: RequestView): void {
  const { requester, beneficiary } = request
  const lines: [string, string][] = [
    ['request', request.id],
    ['resource', request.resourceId],
    ...(request.targetId === null ? [] : [['target', request.targetId] as [string, string]]),
    ['level', request.loginName === null ? request.level : `${request.level} as ${request.loginName}`],
    [
      'for',
      `${formatRemaining(request.durationMs)}${request.extendsGrantId ? ` more on ${request.extendsGrantId}` : ''}`,
    ],
    [
      'who',
      requester.id === beneficiary.id
        ? shownName(requester)
        : `${shownName(beneficiary)}, requested by ${shownName(requester)}`,
    ],
    ...Object.entries(request.sessionTags ?? {}).map(([key, value]): [string, string] => ['tag', `${key}=${value}`]),
    ['reason', request.reason ?? '-'],
    ['ticket', request.ticket ?? '-'],
    ['rule', request.rule],
    ...request.limits.map((limit): [string, string] => ['note', limit]),
    ['status', request.statusReason ? `${request.status}: ${request.statusReason}` : request.status],
    ['stage', describeStage(request)],
    ...request.decisions.map(({ by, stage, verdict, comment, counts }): [string, string] => [
      'decision',
      `${verdict} by ${by.name} at stage ${stage + 1}${comment ? `: ${comment}` : ''}${counts ? '' : ' (void)'}`,
    ]),
    ['expires', when(request.expiresAt)],
  ]
  for (const [name, value] of lines) printLine(`${name.padEnd(10)}${value}`)
}

/** The outcome of a request, and what to type next. */
export function printOutcome({ request, grant }: Outcome): void {
  if (grant) {
    printLine(`granted: ${grant.level} on ${grant.resourceId} until ${when(grant.endsAt)} (${grant.id})`)
    if (grant.push) printPush(grant)
    return
  }
  printLine(`${request.id} is waiting for approval, stage ${describeStage(request)}`)
  printLine(`  an approver can run: sallyport approve ${request.id}`)
}

/** What AWS itself holds is there some seconds later. */
function printPush({ push, outlivesUntil }: GrantView): void {
  printLine(
    push?.state === 'granted'
      ? '  it is in Identity Center'
      : '  it is being written to Identity Center; see: sallyport grants',
  )
  if (push?.portal) printLine(`  open ${push.portal}`)
  if (outlivesUntil !== null) printLine(`  sessions may go on until ${when(outlivesUntil)}`)
}

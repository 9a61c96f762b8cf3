import { useState } from 'react'
import type { GrantView } from '../../../contract/grants.ts'
import type { SessionView } from '../../../contract/sessions.ts'
import { nameOf } from '../../data/names.ts'
import { useAct } from '../../data/queries.ts'
import { ConfirmDialog } from '../../parts/confirm-dialog.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { DurationField, ReasonField } from '../../parts/fields.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { ReasonDialog } from '../../parts/reason-dialog.tsx'
import { visible, words } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'

const texts = screenWords.grants
const hourMs = 3_600_000

interface GrantDialogProps {
  readonly grant: GrantView
  onClose(): void
}

export function ExtendDialog({ grant, onClose }: GrantDialogProps) {
  const [durationMs, setDurationMs] = useState(hourMs)
  const [reason, setReason] = useState('')
  const extend = useAct('POST /api/v1/grants/:id/extend', ['requests', 'grants'])
  return (
    <Dialog
      title={`${texts.extendTitle}: ${visible(nameOf(grant.resourceId))}, ${visible(grant.level)}`}
      onClose={onClose}
    >
      {extend.data ? (
        <p role="status">{extend.data.grant ? screenWords.catalog.granted : screenWords.catalog.waits}</p>
      ) : (
        <form
          className="form"
          id="extend"
          onSubmit={(event) => {
            event.preventDefault()
            const given = reason.trim()
            extend.mutate({
              params: { id: grant.id },
              body: { durationMs, ...(given === '' ? {} : { reason: given }) },
            })
          }}
        >
          <DurationField value={durationMs} mostMs={null} onChange={setDurationMs} />
          <ReasonField value={reason} isNeeded={false} onChange={setReason} />
        </form>
      )}
      {extend.error && <ProblemNote problem={extend.error} />}
      <div className="actions">
        <button type="button" onClick={onClose}>
          {extend.data ? words.close : words.cancel}
        </button>
        {!extend.data && (
          <button type="submit" form="extend" className="main" disabled={extend.isPending}>
            {extend.isPending ? screenWords.asking : texts.extendSend}
          </button>
        )}
      </div>
    </Dialog>
  )
}

export function RevokeDialog({
  grant,
  sessions,
  onClose,
}: GrantDialogProps & { readonly sessions: readonly SessionView[] }) {
  const revoke = useAct('POST /api/v1/grants/:id/revoke', ['grants', 'sessions'])
  const who = visible(grant.principal.name)
  const open = sessions.filter(({ endedAt }) => endedAt === null).length
  return (
    <ReasonDialog
      title={texts.revokeTitle(who)}
      hint={texts.revokeHint(open)}
      reasonHint={texts.told(who)}
      button={texts.revokeAnd(open)}
      act={revoke}
      onConfirm={(body) => revoke.mutate({ params: { id: grant.id }, body }, { onSuccess: onClose })}
      onClose={onClose}
    />
  )
}

export function GiveBackDialog({
  grant,
  sessions,
  onClose,
}: GrantDialogProps & { readonly sessions: readonly SessionView[] }) {
  const giveBack = useAct('POST /api/v1/grants/:id/return', ['grants', 'sessions'])
  const open = sessions.filter(({ endedAt }) => endedAt === null).length
  return (
    <ConfirmDialog
      title={texts.giveBackTitle}
      hint={texts.revokeHint(open)}
      button={texts.giveBack}
      act={giveBack}
      onConfirm={(done) => giveBack.mutate({ params: { id: grant.id }, body: {} }, { onSuccess: done })}
      onClose={onClose}
    />
  )
}

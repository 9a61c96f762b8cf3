import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import type { Named } from '../../../contract/references.ts'
import type { SessionView } from '../../../contract/sessions.ts'
import { type Listed, useAct } from '../../data/queries.ts'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { Level, ResourceName, State } from '../../parts/marks.tsx'
import { PersonOrYou } from '../../parts/person.tsx'
import { ReasonDialog } from '../../parts/reason-dialog.tsx'
import { Time } from '../../parts/time.tsx'
import { visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { size } from '../../words/times.ts'

const texts = screenWords.sessions

/** A name alone may be one that was chosen to look like another. */
export function whoOf({ who, principalId, principal }: SessionView): Named {
  return who ?? { id: principalId, name: principal }
}

interface SessionListProps {
  readonly list: Listed<SessionView>
  readonly empty: ReactNode
}

export function SessionList({ list, empty }: SessionListProps) {
  const [ending, setEnding] = useState<SessionView>()
  const columns: Column<SessionView>[] = [
    {
      name: 'who',
      head: texts.columns.who,
      width: 'minmax(0, 2fr)',
      cell: (session) => (
        <Link to="/sessions/$id" params={{ id: session.id }} className="open">
          <PersonOrYou person={whoOf(session)} />
        </Link>
      ),
    },
    {
      name: 'what',
      head: texts.columns.what,
      width: 'minmax(0, 3fr)',
      cell: ({ resourceId, kind }) => <ResourceName id={resourceId} kind={kind} />,
    },
    { name: 'level', head: texts.columns.level, width: 'minmax(0, 1fr)', cell: ({ level }) => <Level level={level} /> },
    {
      name: 'client',
      head: texts.columns.client,
      width: 'minmax(0, 1fr)',
      cell: ({ tool, via }) => visible(tool ?? via),
    },
    {
      name: 'began',
      head: texts.columns.began,
      width: '104px',
      isNumber: true,
      cell: ({ openedAt }) => <Time at={openedAt} />,
    },
    {
      name: 'data',
      head: texts.columns.data,
      width: '88px',
      isNumber: true,
      cell: ({ bytesUp, bytesDown }) => size(bytesUp + bytesDown),
    },
    {
      name: 'state',
      head: texts.columns.state,
      width: '148px',
      cell: (session) =>
        session.endedAt === null ? (
          <span className="live">
            <State tone="good" text={texts.live} />
            <button type="button" className="small" onClick={() => setEnding(session)}>
              {texts.end}
            </button>
          </span>
        ) : (
          <State tone="over" text={session.endReason ?? ''} />
        ),
    },
  ]
  return (
    <>
      <DataList label={texts.title} list={list} columns={columns} keyOf={({ id }) => id} empty={empty} />
      {ending && <EndDialog session={ending} onClose={() => setEnding(undefined)} />}
    </>
  )
}

export function EndDialog({ session, onClose }: { readonly session: SessionView; onClose(): void }) {
  const kill = useAct('POST /api/v1/sessions/:id/kill', ['sessions'])
  const who = visible(session.principal)
  return (
    <ReasonDialog
      title={texts.endTitle(who)}
      hint={texts.endHint}
      reasonHint={screenWords.grants.told(who)}
      button={texts.endNow}
      act={kill}
      onConfirm={(body) => kill.mutate({ params: { id: session.id }, body }, { onSuccess: onClose })}
      onClose={onClose}
    />
  )
}

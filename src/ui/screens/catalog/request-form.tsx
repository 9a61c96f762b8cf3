import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import type { Outcome } from '../../../contract/requests.ts'
import type { LevelOption } from '../../../contract/resources.ts'
import type { Answer } from '../../../contract/routes.ts'
import { useDraft } from '../../data/draft.ts'
import { nameOf } from '../../data/names.ts'
import type { Problem } from '../../data/problem.ts'
import { useAct, useAnswer } from '../../data/queries.ts'
import { Facts } from '../../parts/facts.tsx'
import { DurationField, Field, ReasonField } from '../../parts/fields.tsx'
import { ResourceName } from '../../parts/marks.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { approver, sentence, visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'

const texts = screenWords.catalog
const hourMs = 3_600_000

interface RequestFormProps {
  /** Full ids: one request for each. */
  readonly resources: readonly string[]
  /** An earlier request of which level, reason and ticket are taken. */
  readonly again: string | undefined
  onClose(): void
}

interface Choice {
  readonly resource: string
  readonly option: LevelOption | undefined
}

/** What is needed is in the form before anything is sent. */
export function RequestForm({ resources, again, onClose }: RequestFormProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  const earlier = useAnswer('requests', 'GET /api/v1/requests/:id', { params: { id: again ?? '' } }, { isOff: !again })
  const [choices, setChoices] = useState<Readonly<Record<string, LevelOption | undefined>>>({})
  const [durationMs, setDurationMs] = useState(hourMs)
  const [typedReason, setReason] = useDraft(`reason.${again ?? ''}`)
  const [typedTicket, setTicket] = useDraft(`ticket.${again ?? ''}`)
  const [isChecked, setChecked] = useState(false)
  const before = earlier.data?.request
  const reason = typedReason ?? before?.reason ?? ''
  const ticket = typedTicket ?? before?.ticket ?? ''
  const forget = () => {
    setReason('')
    setTicket('')
  }
  const close = () => {
    forget()
    onClose()
  }
  const sending = useSend(forget)
  const chosen: Choice[] = resources.map((resource) => ({ resource, option: choices[resource] }))
  const needs = chosen.flatMap(({ option }) => (option ? [option.needs] : []))
  const mosts = chosen.flatMap(({ option }) => option?.maxDurationMs ?? [])
  const mostMs = mosts.length > 0 ? Math.min(...mosts) : null
  const patterns = [...new Set(needs.flatMap(({ ticket: pattern }) => (pattern === null ? [] : visible(pattern))))]
  const needsReason = needs.some((one) => one.reason)
  const wrong = {
    reason: needsReason && reason.trim() === '' ? texts.reasonMissing : undefined,
    ticket: patterns.length > 0 && ticket.trim() === '' ? texts.ticketMissing(patterns.join(', ')) : undefined,
  }
  useEffect(() => heading.current?.focus(), [])
  const isReady = chosen.every(({ option }) => option?.mayAsk)
  const send = () => {
    setChecked(true)
    if (!isReady || wrong.reason !== undefined || wrong.ticket !== undefined) return
    void sending.send(
      chosen.flatMap(({ resource, option }) => (option ? [{ resource, level: option.level }] : [])),
      {
        durationMs: mostMs === null ? durationMs : Math.min(durationMs, mostMs),
        reason: reason.trim(),
        ticket: ticket.trim(),
      },
    )
  }
  return (
    <aside
      className="request"
      aria-labelledby="request"
      onKeyDown={(event) => {
        if (event.key === 'Escape') close()
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send()
      }}
    >
      <div className="heading">
        <h2 id="request" ref={heading} tabIndex={-1}>
          {texts.request(resources.length)}
        </h2>
        <button type="button" className="quiet" aria-label={texts.close} onClick={close}>
          ×
        </button>
      </div>
      {resources.map((resource) => (
        <Wanted
          key={resource}
          resource={resource}
          before={before?.resourceId === resource ? before.level : undefined}
          chosen={choices[resource]}
          result={sending.results[resource]}
          onChoose={(option) => setChoices((others) => ({ ...others, [resource]: option }))}
        />
      ))}
      {!sending.isDone && (
        <form
          className="form"
          noValidate
          onSubmit={(event) => {
            event.preventDefault()
            send()
          }}
        >
          <DurationField
            value={mostMs === null ? durationMs : Math.min(durationMs, mostMs)}
            mostMs={mostMs}
            onChange={setDurationMs}
          />
          <ReasonField
            value={reason}
            isNeeded={needsReason}
            wrong={isChecked ? wrong.reason : undefined}
            onChange={setReason}
          />
          {patterns.length > 0 && (
            <Field
              label={screenWords.ticket}
              wrong={isChecked ? wrong.ticket : undefined}
              hint={texts.ticketForm(patterns.join(', '))}
            >
              {({ id, describedBy }) => (
                <input
                  id={id}
                  type="text"
                  aria-describedby={describedBy}
                  aria-required
                  maxLength={128}
                  value={ticket}
                  onChange={(event) => setTicket(event.target.value)}
                />
              )}
            </Field>
          )}
          <div className="actions">
            <button type="submit" className="main" disabled={sending.isSending || !isReady}>
              {sending.isSending ? screenWords.asking : texts.send(resources.length)} <kbd>{texts.sendKeys}</kbd>
            </button>
          </div>
        </form>
      )}
    </aside>
  )
}

interface Terms {
  readonly durationMs: number
  readonly reason: string
  readonly ticket: string
}

type Result = { readonly outcome: Outcome } | { readonly problem: Problem }

/** One after the other: each has its own answer. */
function useSend(onDone: () => void) {
  const ask = useAct('POST /api/v1/requests', ['requests', 'grants', 'resources'])
  const [results, setResults] = useState<Readonly<Record<string, Result>>>({})
  const [isSending, setSending] = useState(false)
  const [isDone, setDone] = useState(false)
  const send = async (
    wanted: readonly { readonly resource: string; readonly level: string }[],
    { durationMs, reason, ticket }: Terms,
  ) => {
    setSending(true)
    let failed = 0
    for (const { resource, level } of wanted) {
      const before = results[resource]
      if (before && 'outcome' in before) continue
      const body = {
        ...{ resource, level, durationMs },
        ...(reason === '' ? {} : { reason }),
        ...(ticket === '' ? {} : { ticket }),
      }
      const result: Result = await ask.mutateAsync({ body }).then(
        (outcome) => ({ outcome }),
        (problem: Problem) => ({ problem }),
      )
      if ('problem' in result) failed += 1
      setResults((others) => ({ ...others, [resource]: result }))
    }
    setSending(false)
    setDone(failed === 0)
    if (failed === 0) onDone()
  }
  return { results, isSending, isDone, send }
}

interface WantedProps {
  readonly resource: string
  /** The level of an earlier request. */
  readonly before: string | undefined
  readonly chosen: LevelOption | undefined
  readonly result: Result | undefined
  onChoose(option: LevelOption | undefined): void
}

function Wanted({ resource, before, chosen, result, onChoose }: WantedProps) {
  const options = useAnswer('resources', 'GET /api/v1/resources/options', { query: { resource } })
  const levels = options.data?.levels ?? []
  useEffect(() => {
    if (chosen !== undefined || levels.length === 0) return
    onChoose(levels.find(({ level }) => level === before) ?? levels.find(({ mayAsk }) => mayAsk) ?? levels[0])
  }, [levels, chosen, before])
  const known = options.data?.resource
  return (
    <section className="wanted" aria-label={nameOf(resource)}>
      <ResourceName id={resource} kind={resource.slice(0, resource.indexOf('/'))} tags={known?.tags ?? {}} />
      {options.error && <ProblemNote problem={options.error} onRetry={() => void options.refetch()} />}
      {levels.length > 0 && (
        <label className="choice">
          {screenWords.level}
          <select
            value={chosen?.level ?? ''}
            onChange={(event) => onChoose(levels.find(({ level }) => level === event.target.value))}
          >
            {levels.map(({ level, mayAsk }) => (
              <option key={level} value={level}>
                {visible(level)}
                {mayAsk ? '' : ` (${texts.whyNot})`}
              </option>
            ))}
          </select>
        </label>
      )}
      {chosen && <OptionFacts option={chosen} resource={resource} />}
      {result && 'problem' in result && <ProblemNote problem={result.problem} />}
      {result && 'outcome' in result && <Answered outcome={result.outcome} />}
    </section>
  )
}

function OptionFacts({ option, resource }: { readonly option: LevelOption; readonly resource: string }) {
  return (
    <>
      {!option.mayAsk && option.whyNot !== null && (
        <p className="problem">
          {sentence(option.whyNot)}{' '}
          <Link to="/why" search={{ resource, level: option.level } as never}>
            {texts.why}
          </Link>
        </p>
      )}
      <Facts
        facts={[
          ...option.means.map(({ label, value }) => [visible(label), visible(value)] as const),
          [
            texts.approvedBy,
            option.stages.length === 0
              ? texts.noApproval
              : option.stages.map(({ anyOf }) => anyOf.map(approver).join(texts.or)).join(texts.next),
          ],
        ]}
      />
      {option.limits.map((limit) => (
        <p key={limit} className="note">
          {sentence(limit)}
        </p>
      ))}
    </>
  )
}

function Answered({ outcome: { request, grant } }: { readonly outcome: Answer<'POST /api/v1/requests'> }) {
  return (
    <p className="answered" role="status">
      {grant ? texts.granted : texts.waits}{' '}
      {grant ? (
        <Link to="/grants/$id" params={{ id: grant.id }}>
          {texts.connect}
        </Link>
      ) : (
        <Link to="/requests/$id" params={{ id: request.id }}>
          {texts.see}
        </Link>
      )}
    </p>
  )
}

import { type FormEvent, useId, useState } from 'react'
import type { Scope } from '../../../contract/route-contract.ts'
import { useAct, useList } from '../../data/queries.ts'
import { readForm } from '../../parts/asked.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { Facts } from '../../parts/facts.tsx'
import { Field } from '../../parts/fields.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Secret } from '../../parts/secret.tsx'
import { Time } from '../../parts/time.tsx'
import { visible, words } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'
import { screenWords } from '../../words/screens.ts'

const texts = furtherWords.tokens
const dayMs = 86_400_000
const lives = [1, 7, 30, 90, 365] as const
const usualDays = 30
const scopes = Object.keys(texts.scope) as Scope[]

/** The secret is in this dialog alone, and goes with it. */
export function CreateToken({ onClose }: { readonly onClose: () => void }) {
  const create = useAct('POST /api/v1/tokens', ['tokens'])
  const created = create.data
  if (created)
    return (
      <Dialog title={texts.createTitle} onClose={onClose}>
        <p role="status">{texts.created(visible(created.name))}</p>
        <Facts
          facts={[
            [texts.token, <Secret key="s" text={created.token} />],
            [texts.columns.expires, <Time key="t" at={created.expiresAt} form="when" />],
          ]}
        />
        <p className="muted">{texts.once}</p>
        <div className="actions">
          <button type="button" className="main" onClick={onClose}>
            {texts.done}
          </button>
        </div>
      </Dialog>
    )
  return <TokenForm create={create} onClose={onClose} />
}

interface TokenFormProps {
  readonly create: ReturnType<typeof useAct<'POST /api/v1/tokens'>>
  onClose(): void
}

function TokenForm({ create, onClose }: TokenFormProps) {
  const form = useId()
  const accounts = useList('tokens', 'GET /api/v1/service-accounts', {})
  const accepted = accounts.items.filter(({ active }) => active)
  const [isChecked, setChecked] = useState(false)
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState<readonly Scope[]>([])
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setChecked(true)
    if (name.trim() === '' || chosen.length === 0) return
    const text = readForm(event.currentTarget)
    create.mutate({
      body: {
        name: name.trim(),
        scopes: [...chosen],
        durationMs: Number(text('life')) * dayMs,
        ...(text('cidr') === '' ? {} : { cidr: text('cidr') }),
        ...(text('account') === '' ? {} : { serviceAccount: text('account') }),
      },
    })
  }
  return (
    <Dialog title={texts.createTitle} onClose={onClose}>
      <form className="form" id={form} noValidate onSubmit={send}>
        <Field
          label={texts.name}
          hint={texts.nameHint}
          wrong={isChecked && name.trim() === '' ? texts.nameMissing : undefined}
        >
          {({ id, describedBy }) => (
            <input
              id={id}
              type="text"
              aria-describedby={describedBy}
              aria-required
              autoComplete="off"
              maxLength={64}
              value={name}
              onChange={({ target }) => setName(target.value)}
            />
          )}
        </Field>
        <fieldset className={isChecked && chosen.length === 0 ? 'field scopes wrong' : 'field scopes'}>
          <legend>{texts.scopes}</legend>
          {scopes.map((scope) => (
            <label key={scope}>
              <input
                type="checkbox"
                checked={chosen.includes(scope)}
                onChange={({ target }) =>
                  setChosen(target.checked ? [...chosen, scope] : chosen.filter((one) => one !== scope))
                }
              />
              <code>{scope}</code> <span className="muted">{texts.scope[scope]}</span>
            </label>
          ))}
          {isChecked && chosen.length === 0 && <p className="note">{texts.scopesMissing}</p>}
        </fieldset>
        <Field label={texts.life}>
          {({ id }) => (
            <select id={id} name="life" defaultValue={usualDays}>
              {lives.map((days) => (
                <option key={days} value={days}>
                  {texts.days(days)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={`${texts.cidr} (${screenWords.optional})`} hint={texts.cidrHint}>
          {({ id, describedBy }) => (
            <input id={id} name="cidr" type="text" aria-describedby={describedBy} autoComplete="off" maxLength={49} />
          )}
        </Field>
        {accepted.length > 0 && (
          <Field label={texts.acts}>
            {({ id }) => (
              <select id={id} name="account" defaultValue="">
                <option value="">{texts.yourself}</option>
                {accepted.map((account) => (
                  <option key={account.id} value={account.id}>
                    {visible(account.name)}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
      </form>
      {create.error && <ProblemNote problem={create.error} />}
      <div className="actions">
        <button type="button" onClick={onClose}>
          {words.cancel}
        </button>
        <button type="submit" form={form} className="main" disabled={create.isPending}>
          {create.isPending ? screenWords.asking : texts.create}
        </button>
      </div>
    </Dialog>
  )
}

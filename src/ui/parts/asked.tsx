import { useEffect, useRef } from 'react'
import { Field } from './fields.tsx'

interface AskedProps {
  readonly name: string
  readonly label: string
  readonly hint: string
  readonly value?: string | undefined
  readonly isNeeded?: boolean
}

/** A line of text in a form, which is read when the form is sent. */
export function Asked({ name, label, hint, value = '', isNeeded = false }: AskedProps) {
  const input = useRef<HTMLInputElement>(null)
  // The address may change under an open form, by the way back; the field keeps the focus.
  useEffect(() => {
    if (input.current) input.current.value = value
  }, [value])
  return (
    <Field label={label} hint={hint}>
      {({ id, describedBy }) => (
        <input
          id={id}
          ref={input}
          name={name}
          type="text"
          aria-describedby={describedBy}
          autoComplete="off"
          maxLength={256}
          required={isNeeded}
          defaultValue={value}
        />
      )}
    </Field>
  )
}

/** What was typed into a form, without the spaces around it. */
export function readForm(form: HTMLFormElement): (name: string) => string {
  const given = new FormData(form)
  return (name) => String(given.get(name) ?? '').trim()
}

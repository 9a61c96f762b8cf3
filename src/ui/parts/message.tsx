import type { ReactNode } from 'react'

/** Alone on the page: what there is instead of the screen, and what to do about it. */
export function Message({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <main className="message">
      <h1>{title}</h1>
      {children}
    </main>
  )
}

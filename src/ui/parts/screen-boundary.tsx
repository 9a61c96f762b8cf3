import { Component, type ReactNode } from 'react'
import { words } from '../words/en.ts'
import { Message } from './message.tsx'

/** A screen that could not be loaded leaves a text and a way on, never a blank page. */
export class ScreenBoundary extends Component<{ readonly children: ReactNode }, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false }

  static getDerivedStateFromError(): { hasFailed: boolean } {
    return { hasFailed: true }
  }

  override render(): ReactNode {
    if (!this.state.hasFailed) return this.props.children
    return (
      <Message title={words.newVersion}>
        <button type="button" className="main" onClick={() => location.reload()}>
          {words.reload}
        </button>
      </Message>
    )
  }
}

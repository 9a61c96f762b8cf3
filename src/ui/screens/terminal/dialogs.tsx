import { Dialog } from '../../parts/dialog.tsx'
import { visible, words } from '../../words/en.ts'

const texts = words.terminal
const mostShown = 4000

interface AskedProps {
  onAnswer(isAgreed: boolean): void
}

/** Neither button has the focus at first: Enter was pasted perhaps. */
export function PasteDialog({ text, onAnswer }: AskedProps & { readonly text: string }) {
  const lines = text.replace(/\n$/, '').split('\n')
  return (
    <Dialog title={texts.pasteTitle(lines.length)} onClose={() => onAnswer(false)}>
      <p>{texts.pasteHint}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre className="shown" tabIndex={0}>
        {lines.join('\n').slice(0, mostShown).split('\n').map(visible).join('\n')}
      </pre>
      <Buttons agree={texts.paste} onAnswer={onAnswer} />
    </Dialog>
  )
}

export function LinkDialog({ address, onAnswer }: AskedProps & { readonly address: string }) {
  return (
    <Dialog title={texts.linkTitle(visible(URL.parse(address)?.host ?? ''))} onClose={() => onAnswer(false)}>
      <p>{texts.linkHint}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre className="shown" tabIndex={0}>
        {visible(address)}
      </pre>
      <Buttons agree={texts.open} onAnswer={onAnswer} />
    </Dialog>
  )
}

export function KeysDialog({ onClose }: { onClose(): void }) {
  return (
    <Dialog title={texts.keysTitle} onClose={onClose}>
      <dl className="keys">
        {texts.keyList.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p className="muted">{texts.keysHint}</p>
      <div className="actions">
        <button type="button" className="main" onClick={onClose}>
          {words.close}
        </button>
      </div>
    </Dialog>
  )
}

function Buttons({ agree, onAnswer }: AskedProps & { readonly agree: string }) {
  return (
    <div className="actions">
      <button type="button" onClick={() => onAnswer(false)}>
        {words.cancel}
      </button>
      <button type="button" className="main" onClick={() => onAnswer(true)}>
        {agree}
      </button>
    </div>
  )
}

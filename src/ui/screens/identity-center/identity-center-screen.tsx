import './identity-center.css'
import { useState } from 'react'
import { useMe } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { Page } from '../../parts/page.tsx'
import { furtherWords } from '../../words/further.ts'
import { Held } from './held.tsx'
import { HeldBack } from './held-back.tsx'
import { LinkDialog, Links } from './links.tsx'
import { Unrecorded } from './unrecorded.tsx'

const texts = furtherWords.identityCenter
/** Whom each one is for. */
const boxes = { held: 'audit', people: 'audit', back: 'admin', unrecorded: 'admin' } as const

/** `/identity-center`: what AWS holds for grants, and which users people are there. */
export default function IdentityCenterScreen() {
  const me = useMe()
  const { search, set } = useFilters()
  const [isLinking, setLinking] = useState(false)
  const shown = (Object.keys(boxes) as (keyof typeof boxes)[]).filter((one) => me?.can[boxes[one]])
  const box = shown.find((one) => one === search.box) ?? shown[0]
  return (
    <Page
      title={texts.title}
      aside={
        me?.can.admin && (
          <button type="button" onClick={() => setLinking(true)}>
            {texts.link}
          </button>
        )
      }
    >
      <fieldset className="boxes" aria-label={texts.title}>
        {shown.map((one) => (
          <button key={one} type="button" aria-pressed={one === box} onClick={() => set({ box: one })}>
            {texts.boxes[one]}
          </button>
        ))}
      </fieldset>
      {box === 'held' && <Held />}
      {box === 'people' && <Links />}
      {box === 'back' && <HeldBack />}
      {box === 'unrecorded' && <Unrecorded />}
      {isLinking && <LinkDialog onClose={() => setLinking(false)} />}
    </Page>
  )
}

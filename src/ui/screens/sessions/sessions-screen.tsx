import { Link } from '@tanstack/react-router'
import { useList, useMe } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { Page } from '../../parts/page.tsx'
import { screenWords } from '../../words/screens.ts'
import { SessionList } from './session-list.tsx'

const texts = screenWords.sessions

/** `/sessions`: who is in now, and who was. */
export default function SessionsScreen() {
  const me = useMe()
  const { search, set } = useFilters()
  const [isOpen, isMine] = [search.open === 'true', search.mine === 'true']
  const list = useList('sessions', 'GET /api/v1/sessions', {
    ...(isOpen ? { open: true } : {}),
    ...(isMine ? { mine: true } : {}),
    ...(search.resource ? { resource: search.resource } : {}),
    ...(search.who ? { who: search.who } : {}),
  })
  const seesOthers = me?.can.audit || me?.can.admin || me?.can.decide
  return (
    <Page
      title={texts.title}
      aside={
        <div className="filters">
          <label>
            <input
              type="checkbox"
              checked={isOpen}
              onChange={({ target }) => set({ open: target.checked ? 'true' : '' })}
            />
            {texts.open}
          </label>
          {seesOthers && (
            <label>
              <input
                type="checkbox"
                checked={isMine}
                onChange={({ target }) => set({ mine: target.checked ? 'true' : '' })}
              />
              {texts.mine}
            </label>
          )}
          {me?.can.audit && (
            <Link to="/recordings" className="button">
              {texts.searchRecordings}
            </Link>
          )}
        </div>
      }
    >
      <SessionList key={`${isOpen}${isMine}`} list={list} empty={<p>{texts.none}</p>} />
    </Page>
  )
}

import type { FileKind, Obstacle } from '../wire/copy/program.ts'

/** Why something was not copied from the instance, or its file or folder could not be made there. */
export const obstacleText: Readonly<Record<Obstacle, string>> = {
  denied: 'permission denied',
  folder: 'it is a folder',
  file: 'there is a file of that name',
  missing: 'there is no such file or folder',
  special: 'it is no regular file',
  link: 'links are not copied',
  failed: 'it could not be written',
}

export const kindText: Readonly<Record<FileKind, string>> = {
  folder: 'a folder',
  file: 'a file',
  special: 'no regular file',
  missing: 'not there',
}

export const folderText = 'it is a folder; copy it with -r'
export const unreadableName = 'its name is no UTF-8'
export const becameShorter = 'it became shorter while it was read'
/** Of a file whose copy was under way when the session ended. */
export const unfinished = 'the session ended first'

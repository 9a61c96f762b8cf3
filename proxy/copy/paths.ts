/** Without slashes at its end. */
export function withoutSlashes(path: string): string {
  let end = path.length
  while (end > 1 && path[end - 1] === '/') end -= 1
  return path.slice(0, end)
}

/** @param name below it; empty: the folder itself */
export function below(folder: string, name: string): string {
  if (name === '') return folder
  return folder.endsWith('/') ? `${folder}${name}` : `${folder}/${name}`
}

/** As the program takes it: no option, and below the home of the user where it does not begin with a slash. */
export function forProgram(path: string): string {
  return path.startsWith('/') ? path : `./${path}`
}

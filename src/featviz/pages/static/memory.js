// What the browser keeps for the reader: the theme and the size of thumbnails. Where it keeps nothing, defaults serve.

/** A value kept from another time, or the default. */
export function recalled(name, otherwise) {
  try {
    return localStorage.getItem(`featviz.${name}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keep a value; null forgets it. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`featviz.${name}`);
    else localStorage.setItem(`featviz.${name}`, value);
  } catch {
    // the reader's browser keeps nothing for pages: the choice holds until the page is closed
  }
}

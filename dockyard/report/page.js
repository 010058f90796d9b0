'use strict';
(() => {
  const NOTHING = '-';
  const NUMBER = /^[+-]?\d+(\.\d+)?/;

  const text = (row, column) => row.cells[column].textContent.trim();

  // What there is nothing of stays at the end, whichever way the rest is sorted.
  function compare(one, other, direction) {
    if (one === NOTHING || other === NOTHING) return (one === NOTHING) - (other === NOTHING);
    const [first, second] = [one.match(NUMBER), other.match(NUMBER)];
    if (first && second) return direction * (Number(first[0]) - Number(second[0]));
    return direction * one.localeCompare(other, 'en', {numeric: true});
  }

  function sort(table, column) {
    const heads = table.tHead.rows[0].cells;
    const direction = heads[column].getAttribute('aria-sort') === 'ascending' ? -1 : 1;
    for (const head of heads) head.setAttribute('aria-sort', 'none');
    heads[column].setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
    const rows = [...table.tBodies[0].rows];
    rows.sort((one, other) => compare(text(one, column), text(other, column), direction));
    table.tBodies[0].append(...rows);
  }

  for (const table of document.querySelectorAll('table')) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = head.textContent;
      button.addEventListener('click', () => sort(table, column));
      head.replaceChildren(button);
      head.setAttribute('aria-sort', 'none');
    });
  }

  const form = document.getElementById('filters');
  if (!form) return;

  // An element shows unless a choice is made that it says something else of.
  function filter() {
    const chosen = [...form.querySelectorAll('select')].filter((one) => one.value);
    for (const one of document.querySelectorAll('[data-recipe],[data-device],[data-verdict]')) {
      one.hidden = chosen.some(({name, value}) => name in one.dataset && one.dataset[name] !== value);
    }
    const rows = [...document.querySelectorAll('#variants tbody tr')];
    const shown = rows.filter((row) => !row.hidden).length;
    document.getElementById('shown').textContent = `${shown} of ${rows.length} variants`;
  }

  form.addEventListener('change', filter);
  form.addEventListener('reset', () => setTimeout(filter));
  form.hidden = false;
  filter();
})();

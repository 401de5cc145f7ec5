-- `holder` names the one try of a step that has the slot: a later try of the same operation takes it over, and only who
-- has it gives it back. `taken_at` is when the operation first got it; what it waited before is not counted against it.
alter table clone_slot
  add column holder text not null default '',
  add column taken_at timestamptz not null default now();

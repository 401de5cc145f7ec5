create table word (
  word text primary key,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
